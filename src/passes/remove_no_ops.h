#pragma once
#include "passes/pass.h"

namespace tenon {

/// Forwards the operand of nodes that return it unchanged: Identity, Cast to the same type, Reshape, Expand, Slice,
/// Pad, Tile and Resize to the same shape, Transpose that keeps the order, Concat of one, Split into one, x * 1, x / 1,
/// x ^ 1.
/// Precondition: static shapes where a shape decides. Postcondition: none is left, except where it separates a graph
/// output from a graph input, a constant or another output.
/// Why here: with constant folding; exporters leave them behind, and between two nodes they stop fusion.
/// Numeric effect: exact.
bool RemoveNoOps(Graph& graph, const PassContext& context);

}  // namespace tenon
