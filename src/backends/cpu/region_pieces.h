#pragma once
#include "backends/cpu/region_builder.h"

namespace tenon::cpu {

/// Divides the outputs of a region's body into nests: an output that joins values (Concat) is cut at the joints, index
/// arithmetic that isn't affine (Reshape) splits loops, softmax axes are unrolled. Parts with equal loops become one
/// program, so that what they share is computed once. Throws RegionUnsupported.
RegionPlan MakeRegionNests(const Graph& body, const StepProblem& problem);

}  // namespace tenon::cpu
