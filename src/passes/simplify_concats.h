#pragma once
#include "passes/pass.h"

namespace tenon {

/// Joins what was split: Concat of all pieces of a Split or of adjacent Slices that cover a value becomes the value;
/// Concat of a Concat along the same axis becomes one; a Split at the seams of a Concat gives the Concat's operands.
/// C2f blocks export Concat(Split(x)..., y): as Concat(x, y), x is written once into the Concat's buffer.
/// Precondition: static shapes. Postcondition: no such Concat or Split is left.
/// Why here: beside constant folding (the bounds of slices), and again after merge_sibling_convs, whose Splits it
/// joins. Numeric effect: exact.
bool SimplifyConcats(Graph& graph, const PassContext& context);

}  // namespace tenon
