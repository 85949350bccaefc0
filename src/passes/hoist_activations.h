#pragma once
#include "passes/pass.h"

namespace tenon {

/// An activation over a Concat moves to each of the Concat's operands where that makes all of them part of a Conv:
/// BatchNorm and activation over a Concat of convolutions (BottleneckCSP). BatchNorm's Mul and Add by constants move
/// the same way when the Concat runs over the channels.
/// Precondition: activations are recognised. Postcondition: no such Concat is left.
/// Why here: just before fuse_epilogue and, for Mul and Add, fold_affine.
/// Numeric effect: exact.
bool HoistActivations(Graph& graph, const PassContext& context);

}  // namespace tenon
