#pragma once
#include "passes/pass.h"

namespace tenon {

/// Replaces activations that exporters write out by the function itself: SiLU, HardSwish, HardSigmoid, GELU (erf and
/// tanh), Mish, Softplus, ReLU and Clip from Min and Max.
/// Precondition: equal values are one value (common_subexpressions). Postcondition: none of the patterns of the table
/// in recognise_activations.cc is left.
/// Why here: before fuse_epilogue, which fuses functions, not expressions.
/// Numeric effect: approximates: the same function, rounded once instead of at every step, and constants such as 1/6
/// or sqrt(2) taken as the numbers they were rounded from.
bool RecogniseActivations(Graph& graph, const PassContext& context);

}  // namespace tenon
