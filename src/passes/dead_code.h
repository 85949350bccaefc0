#pragma once
#include "passes/pass.h"

namespace tenon {

/// Removes what has no effect: nodes and outputs that nobody reads, and unused constants.
/// Precondition: none. Postcondition: every node, output and constant is used.
/// Why here: after each group that leaves nodes behind; unused users would stop fusion ("only one user").
/// Numeric effect: exact.
bool RemoveDeadCode(Graph& graph, const PassContext& context);

}  // namespace tenon
