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

/// Keeps a hostile model, whose few bytes ask for much, from using up memory and time while constants are folded: one
/// per import and per run of the folding pass. Shape arithmetic is tiny, anchors and position tables are a few MiB.
class FoldingBudget {
 public:
  /// Whether the node, whose operands are constant, is cheap enough to evaluate: 64 MiB of results (larger ones cost
  /// more in the engine file than at run time), 1e9 FLOP, 1 GiB of results of all nodes together. Takes them off the
  /// budget.
  bool Take(const Node& node);

 private:
  int64_t left_bytes_ = int64_t{1} << 30;
};

}  // namespace tenon
