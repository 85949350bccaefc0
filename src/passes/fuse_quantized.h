#pragma once
#include "passes/pass.h"

namespace tenon {

/// A Conv, or a MatMul by one matrix, in real numbers between Q and DQ becomes one of integers (compute=i8,
/// ops/epilogue.h):
///   x = DQ(u8), weights = DQ(constant i8, or u8 around 128; one scale, or one per output channel), constant bias;
///   a residual that is DQ(u8) is read as u8, and where one Q to u8 alone reads the result, u8 is stored, with a scale
///   per channel where the result is multiplied by constants of the channels before.
/// A Conv that stays in floats stores u8 all the same where one Q to u8 alone reads its result.
/// Stays as it is: sums that could leave 32 bits, weights with another zero point, operands of other types.
/// Precondition: MoveQuantization ran, epilogues are fused. Postcondition: no such Conv is left.
/// Why here: epilogues stand between Conv and Q; before types are chosen for what stays in floats.
/// Numeric effect: sums become exact; scale and bias are applied in one rounding; a stored u8 may differ by one where
/// rounding was close to a tie.
bool FuseQuantized(Graph& graph, const PassContext& context);

/// Weights whose DequantizeLinear FuseQuantized left become FP32 constants.
/// Numeric effect: exact.
bool FoldQuantizedWeights(Graph& graph, const PassContext& context);

}  // namespace tenon
