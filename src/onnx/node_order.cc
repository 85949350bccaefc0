#include "onnx/node_order.h"

#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "onnx/proto.h"

namespace tenon {
namespace {

/// Names that a node reads, those that its branches take from outside included (and their own: harmless, nobody here
/// makes them).
void CollectReads(const onnx::NodeProto& node, std::vector<std::string_view>& names) {
  names.insert(names.end(), node.input().begin(), node.input().end());
  for (const auto& attr : node.attribute()) {
    if (!attr.has_g()) continue;
    for (const auto& inner : attr.g().node()) CollectReads(inner, names);
    for (const auto& output : attr.g().output()) names.push_back(output.name());
  }
}

/// For each node the nodes that it needs.
std::vector<std::vector<int>> Dependencies(const onnx::GraphProto& graph) {
  std::unordered_map<std::string_view, int> maker;
  for (int i = 0; i < graph.node_size(); ++i) {
    for (const auto& output : graph.node(i).output()) {
      if (!output.empty()) maker.emplace(output, i);
    }
  }
  std::vector<std::vector<int>> needs(static_cast<size_t>(graph.node_size()));
  for (int i = 0; i < graph.node_size(); ++i) {
    std::vector<std::string_view> names;
    CollectReads(graph.node(i), names);
    for (const std::string_view name : names) {
      if (const auto found = maker.find(name); found != maker.end())
        needs[static_cast<size_t>(i)].push_back(found->second);
    }
  }
  return needs;
}

enum class Mark : char { kNew, kOpen, kDone };

}  // namespace

std::vector<int> SortedNodes(const onnx::GraphProto& graph) {
  const std::vector<std::vector<int>> needs = Dependencies(graph);
  std::vector<Mark> marks(needs.size(), Mark::kNew);
  std::vector<int> order, open;  // depth first, with a stack of its own: chains may be long
  for (int start = 0; start < graph.node_size(); ++start) {
    open.push_back(start);
    while (!open.empty()) {
      const int node = open.back();
      Mark& mark = marks[static_cast<size_t>(node)];
      if (mark != Mark::kNew) {
        if (mark == Mark::kOpen) order.push_back(node);
        mark = Mark::kDone;
        open.pop_back();
        continue;
      }
      mark = Mark::kOpen;
      for (const int need : needs[static_cast<size_t>(node)]) {
        if (marks[static_cast<size_t>(need)] == Mark::kNew) open.push_back(need);
        if (marks[static_cast<size_t>(need)] != Mark::kOpen) continue;
        ThrowInvalid({.what = "the model's nodes form a cycle",
                      .where = "node " + graph.node(node).name(),
                      .hint = "Export the model again"});
      }
    }
  }
  return order;
}

}  // namespace tenon
