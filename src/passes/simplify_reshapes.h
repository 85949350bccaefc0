#pragma once
#include "passes/pass.h"

namespace tenon {

/// One form for each change of shape: Reshape with a constant target. Squeeze and Unsqueeze become Reshape, a Transpose
/// that only moves dimensions of size 1 too; Reshape of Reshape and Transpose of Transpose become one.
/// Precondition: static shapes. Postcondition: as said, with every target written out (no 0, no -1).
/// Why here: beside constant folding, which makes the targets constant; patterns then meet one form only.
/// Numeric effect: exact.
bool SimplifyReshapes(Graph& graph, const PassContext& context);

}  // namespace tenon
