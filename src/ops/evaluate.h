#pragma once
#include <functional>
#include <span>
#include <vector>

#include "ir/graph.h"

namespace tenon {

/// Called after each node with its outputs (nulls where dropped).
using NodeObserver = std::function<void(const Node&, std::span<const Tensor>)>;

/// Evaluates a graph node by node with the reference implementations; values are freed after their last use.
/// `inputs` match graph.inputs() in order and type; errors name the node.
std::vector<Tensor> EvaluateGraph(const Graph& graph, std::span<const Tensor> inputs,
                                  const NodeObserver& observer = {});

Cost EstimateNodeCost(const Node& node);

}  // namespace tenon
