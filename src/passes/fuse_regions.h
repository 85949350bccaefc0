#pragma once
#include "passes/pass.h"

namespace tenon {

/// Arithmetic that one generated kernel can compute becomes one Region each (region_clusters.h says what belongs to
/// one): the detection tail of a YOLO head, gates, what is left of written-out functions.
/// Index ops between convolutions stay outside: plans make them views, which cost nothing.
/// Precondition: epilogues are fused, precisions assigned (casts become part of regions).
/// Postcondition: no two neighbouring arithmetic nodes are left that could be one kernel.
/// Why here: last, over what no other op took.
/// Numeric effect: exact (kernels compute FP32 inside; casts stay where they are).
bool FuseRegions(Graph& graph, const PassContext& context);

}  // namespace tenon
