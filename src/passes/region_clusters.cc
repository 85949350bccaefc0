#include "passes/region_clusters.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "ops/index.h"
#include "ops/pointwise.h"
#include "ops/quantize.h"
#include "ops/reduce.h"

namespace tenon {
namespace {

constexpr int64_t kMaxReduced = 64;

bool IsRegionType(const Value* value) {
  return value->has_shape() && ElemCount(value->shape()) > 0 &&
         (IsFloat(value->dtype()) || value->dtype() == DType::kBool) && value->dtype() != DType::kFloat64;
}

/// Kernels load and store 8-bit tensors for Q and DQ, and keep them as floats in between.
bool IsQuantization(const Node& node) { return node.As<QuantizeLinear>() || node.As<DequantizeLinear>(); }

bool IsByteOf(const Node& node, const Value* value) {
  return IsQuantization(node) && value->has_shape() && ElemCount(value->shape()) > 0 &&
         (value->dtype() == DType::kUInt8 || value->dtype() == DType::kInt8);
}

/// Operand 0 and, where the op reads elements from all of them, the others are of types that kernels compute on; the
/// rest (axes, sizes) is constant.
bool HasRegionOperands(const Node& node) {
  const bool reads_all = node.op().op_class() == OpClass::kPointwise || node.As<Concat>();
  for (size_t i = 0; i < node.inputs().size(); ++i) {
    const Value* input = node.inputs()[i];
    if (!input) continue;
    const bool is_computed_on = i == 0 || reads_all;
    if (is_computed_on ? !IsRegionType(input) && !IsByteOf(node, input) : !input->is_constant()) return false;
  }
  return std::all_of(node.outputs().begin(), node.outputs().end(),
                     [&](const Value* output) { return !output || IsRegionType(output) || IsByteOf(node, output); });
}

bool IsSmallReduction(const Node& node) {
  if (const auto* softmax = node.As<Softmax>()) {
    const Shape& shape = node.input(0)->shape();
    return shape.at(softmax->axis < 0 ? softmax->axis + shape.size() : softmax->axis) <= kMaxReduced;
  }
  return node.As<Reduce>() && ElemCount(node.input(0)->shape()) <= kMaxReduced * ElemCount(node.output()->shape());
}

bool IsArithmetic(const Node& node) {
  if (!node.input(0) || !HasRegionOperands(node)) return false;
  return node.op().op_class() == OpClass::kPointwise || IsSmallReduction(node);
}

bool IsMovement(const Node& node) {
  const bool moves = node.As<Reshape>() || node.As<Transpose>() || node.As<Slice>() || node.As<Concat>() ||
                     node.As<Split>() || node.As<Expand>();
  return moves && HasRegionOperands(node);
}

/// Arithmetic, and the movement that has arithmetic above it and nothing but arithmetic and graph outputs below.
std::unordered_set<const Node*> FindMembers(const Graph& graph) {
  std::unordered_set<const Node*> members, fed;
  const std::vector<Node*> nodes = graph.NodeList();
  for (const Node* node : nodes) {
    if (IsArithmetic(*node)) {
      members.insert(node);
      continue;
    }
    const auto is_fed = [&](const Value* input) {
      return input && input->producer() && (members.contains(input->producer()) || fed.contains(input->producer()));
    };
    if (IsMovement(*node) && std::any_of(node->inputs().begin(), node->inputs().end(), is_fed)) fed.insert(node);
  }
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    if (!fed.contains(*node)) continue;
    const auto stays_inside = [&](const Value* output) {
      return !output || std::all_of(output->users().begin(), output->users().end(),
                                    [&](const Node* user) { return members.contains(user); });
    };
    if (std::all_of((*node)->outputs().begin(), (*node)->outputs().end(), stays_inside)) members.insert(*node);
  }
  return members;
}

/// A partition of all nodes that starts with one node each.
class Partition {
 public:
  explicit Partition(const Graph& graph) {
    for (Node* node : graph.NodeList()) {
      cluster_of_[node] = clusters_.size();
      clusters_.push_back({node});
    }
  }

  /// Merges the clusters of two nodes unless that would make a cycle of clusters.
  void TryMerge(Node* a, Node* b) {
    const size_t into = cluster_of_.at(a), from = cluster_of_.at(b);
    if (into == from || MakesCycle(into, from)) return;
    for (Node* node : clusters_[from]) cluster_of_[node] = into;
    clusters_[into].insert(clusters_[into].end(), clusters_[from].begin(), clusters_[from].end());
    clusters_[from].clear();
  }

  /// Makes the node a cluster of its own again.
  void Detach(Node* node) {
    std::erase(clusters_[cluster_of_.at(node)], node);
    cluster_of_[node] = clusters_.size();
    clusters_.push_back({node});
  }

  size_t ClusterOf(const Node* node) const { return cluster_of_.at(node); }
  const std::vector<std::vector<Node*>>& clusters() const { return clusters_; }

 private:
  /// Some path leaves the two clusters and comes back through another one.
  bool MakesCycle(size_t a, size_t b) const {
    std::vector<size_t> pending;
    std::unordered_set<size_t> visited;
    const auto follow = [&](size_t cluster) {
      for (const Node* node : clusters_[cluster]) {
        for (const Value* output : node->outputs()) {
          for (const Node* user : output ? output->users() : std::vector<Node*>{})
            pending.push_back(cluster_of_.at(user));
        }
      }
    };
    follow(a);
    follow(b);
    std::erase_if(pending, [&](size_t cluster) { return cluster == a || cluster == b; });
    while (!pending.empty()) {
      const size_t cluster = pending.back();
      pending.pop_back();
      if (cluster == a || cluster == b) return true;
      if (visited.insert(cluster).second) follow(cluster);
    }
    return false;
  }

  std::unordered_map<const Node*, size_t> cluster_of_;
  std::vector<std::vector<Node*>> clusters_;
};

/// Takes movement out that, because a merge was impossible, has nothing of its cluster above it or below it.
void DetachLooseMovement(const Graph& graph, Partition& partition) {
  std::vector<Node*> nodes = graph.NodeList();
  const auto has_inside = [&](const Node* node, const auto& neighbours) {
    return std::any_of(neighbours.begin(), neighbours.end(), [&](const Node* other) {
      return other && partition.ClusterOf(other) == partition.ClusterOf(node);
    });
  };
  const auto detach_unless = [&](Node* node, bool keep) {
    if (!keep && IsMovement(*node) && !IsArithmetic(*node)) partition.Detach(node);
  };
  for (Node* node : nodes) {
    std::vector<const Node*> above;
    for (const Value* input : node->inputs()) above.push_back(input ? input->producer() : nullptr);
    detach_unless(node, has_inside(node, above));
  }
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    bool keep = false;
    for (const Value* output : (*node)->outputs())
      keep |= output && (graph.IsOutput(output) || has_inside(*node, output->users()));
    detach_unless(*node, keep);
  }
}

}  // namespace

std::vector<std::vector<Node*>> FindRegionClusters(const Graph& graph) {
  const std::unordered_set<const Node*> members = FindMembers(graph);
  Partition partition(graph);
  for (Node* node : graph.NodeList()) {
    if (!members.contains(node)) continue;
    for (const Value* input : node->inputs()) {
      if (input && input->producer() && members.contains(input->producer()))
        partition.TryMerge(input->producer(), node);
    }
  }
  DetachLooseMovement(graph, partition);
  std::unordered_map<size_t, std::vector<Node*>> in_order;
  std::vector<size_t> order;
  for (Node* node : graph.NodeList()) {
    const size_t cluster = partition.ClusterOf(node);
    if (partition.clusters()[cluster].size() < 2) continue;
    if (in_order[cluster].empty()) order.push_back(cluster);
    in_order[cluster].push_back(node);
  }
  std::vector<std::vector<Node*>> result;
  for (const size_t cluster : order) result.push_back(std::move(in_order[cluster]));
  return result;
}

}  // namespace tenon
