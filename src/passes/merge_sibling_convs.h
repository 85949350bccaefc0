#pragma once
#include "passes/pass.h"

namespace tenon {

/// Convolutions that read the same tensor with the same geometry, epilogue and types, without groups and residual,
/// become one wider Conv and a Split of its channels: the input is read once, and narrow branches fill the vectors
/// together. In YOLO heads cv2.0 and cv3.0 do so.
/// A Conv that writes into a Concat is left alone (cv2 of C3 blocks): a value lies in one buffer, so merging would
/// cost a copy into the Concat.
/// Precondition: epilogues are fused (equal activations are part of "the same"). Postcondition: no such pair is left.
/// Why here: after fuse_epilogue.
/// Numeric effect: exact (each output channel's sum is the same).
bool MergeSiblingConvs(Graph& graph, const PassContext& context);

}  // namespace tenon
