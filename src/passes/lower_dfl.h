#pragma once
#include "passes/pass.h"

namespace tenon {

/// The 1x1 Conv that sums softmax bins (distribution focal loss: expectation over 16 bins) becomes Mul and Reduce.
/// As a Conv with one output channel it would use one lane of a vector kernel; as pointwise work it is part of the
/// detection tail's region.
/// Precondition: weights are constant. Postcondition: no such Conv reads a Softmax (also through Transposes).
/// Why here: before assign_precision, which must not round it to half, and before fuse_regions.
/// Numeric effect: reassociates (the order of the sum).
bool LowerDfl(Graph& graph, const PassContext& context);

}  // namespace tenon
