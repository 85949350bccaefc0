#pragma once
#include "backends/kernel.h"

namespace tenon {

/// Dense row-major copy of a strided operand at `data`.
Tensor GatherOperand(const KernelOperand& operand, const std::byte* data);
/// Writes a dense tensor of the operand's type to the strided place at `data`.
void ScatterOperand(const Tensor& tensor, const KernelOperand& operand, std::byte* data);

}  // namespace tenon
