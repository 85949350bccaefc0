#pragma once
#include "engine/program.h"

namespace tenon {

/// Bytes from element 0 to the end of the last element of a strided operand; throws Error(kInvalidInput) on negative
/// strides or overflow.
int64_t ExtentBytes(const ProgramOperand& operand);

/// Checks that every operand of every step lies inside the memory it names, so that running the program touches
/// nothing else. Throws Error(kInvalidInput): the plan is damaged.
void ValidateProgram(const Program& program, const std::vector<TensorInfo>& inputs,
                     const std::vector<TensorInfo>& outputs);

}  // namespace tenon
