#pragma once
#include "passes/pass.h"

namespace tenon {

/// Computes equal things once: constants of equal bytes become one value, nodes with equal op and operands one node.
/// Precondition: none. Postcondition: no two such nodes, except where both are graph outputs.
/// Why here: before the pattern passes, which recognise a value by identity (x * sigmoid(x) needs one x).
/// Numeric effect: exact.
bool MergeCommonSubexpressions(Graph& graph, const PassContext& context);

}  // namespace tenon
