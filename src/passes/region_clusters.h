#pragma once
#include <vector>

#include "ir/graph.h"

namespace tenon {

/// Sets of nodes that one generated kernel each can compute, in graph order: at least two nodes, at least one of them
/// arithmetic (pointwise or a reduction of at most 64 elements, on floats, static shapes). Index ops belong to a set
/// only where they lie between arithmetic and arithmetic or between arithmetic and graph outputs; others are views.
/// The sets are disjoint, and fusing all of them leaves the graph without cycles.
std::vector<std::vector<Node*>> FindRegionClusters(const Graph& graph);

}  // namespace tenon
