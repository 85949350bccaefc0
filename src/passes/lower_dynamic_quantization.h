#pragma once
#include "passes/pass.h"

namespace tenon {

/// QuantizeLinear by a run-time scale whose bytes are only read as floats again (what DynamicQuantizeLinear and
/// ConvInteger or MatMulInteger are imported as) becomes arithmetic that keeps the same whole numbers in FP32:
///   Cast(QuantizeLinear(x, scale, zero_point))   becomes   Clip(Round(x / scale) + Cast(zero_point))
/// and whole numbers in the range of bytes are not cast to bytes and back.
/// Precondition: FP32, one scale for the tensor. Postcondition: no such Cast is left.
/// Why here: regions take arithmetic, and no kernel quantises by a scale that isn't constant.
/// Numeric effect: exact.
bool LowerDynamicQuantization(Graph& graph, const PassContext& context);

}  // namespace tenon
