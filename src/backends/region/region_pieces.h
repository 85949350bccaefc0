#pragma once
#include "backends/region/region_builder.h"

namespace tenon::region {

/// Divides the outputs of a region's body into nests: an output that joins values (Concat) is cut at the joints, index
/// arithmetic that isn't affine (Reshape) splits loops, softmax axes are unrolled. Parts with equal loops become one
/// program, so that what they share is computed once. Throws RegionUnsupported.
RegionPlan MakeRegionNests(const Graph& body, const StepProblem& problem);

/// The nests of a step: a Region, a Softmax over few elements or a pointwise op. Throws RegionUnsupported for others.
RegionPlan PlanRegion(const StepProblem& problem);

}  // namespace tenon::region
