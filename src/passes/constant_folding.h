#pragma once
#include "passes/pass.h"

namespace tenon {

/// Replaces nodes whose results are known by constants: all operands constant, or Shape and Size of static shapes.
/// Weights of a Conv that come from 8 bits stay so where its activation does too: FuseQuantized takes them.
/// Precondition: none. Postcondition: no other such node is left whose results take at most 64 MiB.
/// Why here: first, so that every other pass sees weights, axes and shapes as constants.
/// Numeric effect: exact (the reference evaluation, as the graph would have computed).
bool FoldConstants(Graph& graph, const PassContext& context);

}  // namespace tenon
