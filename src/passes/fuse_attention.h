#pragma once
#include "passes/pass.h"

namespace tenon {

/// MatMul, scale, mask, Softmax, MatMul become one Attention, so that the scores never reach memory:
///   softmax(scale * q k + mask) v            as transformers export it
///   v softmax(scale * q k + mask)^T          as YOLO11, 12, 26 do; becomes (attention(q, k, v^T))^T
/// Precondition: scales are constants; nobody else reads the scores or the probabilities. Postcondition: none is left.
/// Why here: before fuse_epilogue, which would take scale-free mask Adds as residuals of the first MatMul.
/// Numeric effect: reassociates (the scale is applied once, softmax may be computed in blocks).
bool FuseAttention(Graph& graph, const PassContext& context);

}  // namespace tenon
