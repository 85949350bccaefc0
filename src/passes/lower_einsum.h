#pragma once
#include "passes/pass.h"

namespace tenon {

/// Einsum of two operands that is a batched matrix product becomes Transpose, Reshape, MatMul, Reshape, Transpose;
/// "bmchw,bnmc->bmhwn" of text-prompted heads is one. Labels of both operands and the output are batch, of both
/// operands alone the inner dimension, of one operand and the output rows or columns.
/// Precondition: floats, static shapes. Postcondition: no such Einsum without broadcasting or diagonals is left.
/// Why here: with the clean-up, which removes the movement that turns out to be none.
/// Numeric effect: reassociates (the order of the sum).
bool LowerEinsum(Graph& graph, const PassContext& context);

}  // namespace tenon
