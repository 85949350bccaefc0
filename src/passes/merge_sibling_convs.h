#pragma once
#include "passes/pass.h"

namespace tenon {

/// Convolutions that read the same tensor with the same geometry, epilogue and types, without groups and residual,
/// become one wider Conv and a Split of its channels: the input is read once, and narrow branches fill the vectors
/// together. In YOLO heads cv2.0 and cv3.0 do so, in C3 blocks cv1 and cv2.
/// A branch that ends a Concat goes first, one that starts a Concat goes last, so that Concat and wide output can lie
/// in one buffer.
/// Precondition: epilogues are fused (equal activations are part of "the same"). Postcondition: no such pair is left.
/// Why here: after fuse_epilogue; before the last simplify_concats, which joins Splits and Concats.
/// Numeric effect: exact (each output channel's sum is the same).
bool MergeSiblingConvs(Graph& graph, const PassContext& context);

}  // namespace tenon
