#pragma once
#include "passes/pass.h"

namespace tenon {

/// With half asked for: Conv, ConvTranspose, MatMul and Attention compute in half (FP32 sums), with weights in half,
/// and store half where a node that computes in half follows somewhere below; results that only feed the end of the
/// model (detection tail, graph outputs) are stored in FP32. Ops that move, pool or reduce elements keep the type
/// that they read; all other arithmetic stays FP32, with Casts where the types meet.
/// A first convolution that reads the FP32 image itself stays FP32 inside: it is bound by memory, and rounding the
/// image to 8 bits of mantissa would cost accuracy for nothing. PassReport lists it.
/// Precondition: epilogues are fused. Postcondition: types verify; graph outputs have the types they had.
/// Why here: before fuse_regions, which takes the Casts in; after every pass that matches FP32 patterns.
/// Numeric effect: approximates (rounding to half); none with FP32 asked for.
bool AssignPrecision(Graph& graph, const PassContext& context);

}  // namespace tenon
