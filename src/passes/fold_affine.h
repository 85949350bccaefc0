#pragma once
#include "passes/pass.h"

namespace tenon {

/// Folds per-channel scale and shift by constants (BatchNorm, Mul, Div, Add) into the weights and bias of the Conv,
/// ConvTranspose or MatMul before or after it, computed in double. BatchNorm elsewhere becomes Mul and Add.
/// A shift before a convolution is folded only where nothing is padded: the border would get it otherwise.
/// Precondition: constants are folded; subtraction of a constant is an addition (simplify_arithmetic).
/// Postcondition: no BatchNorm with constant parameters is left; no fusable node with constant weights has such a
/// neighbour that nobody else reads.
/// Why here: before fuse_epilogue, so that the activation behind it is the Conv's neighbour.
/// Numeric effect: reassociates (weights are scaled and rounded once).
bool FoldAffine(Graph& graph, const PassContext& context);

}  // namespace tenon
