#include "passes/dead_code.h"

#include "passes/rewrite.h"

namespace tenon {
namespace {

bool RemoveUnusedNodes(Graph& graph) {
  bool changed = false;
  const std::vector<Node*> nodes = graph.NodeList();
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    bool used = false;
    for (size_t i = 0; i < (*node)->outputs().size(); ++i) {
      const Value* output = (*node)->output(i);
      if (!output) continue;
      if (!graph.IsUnused(output)) {
        used = true;
      } else if ((*node)->outputs().size() > 1) {
        graph.DropOutput(*node, i);
        changed = true;
      }
    }
    if (used) continue;
    graph.Erase(*node);
    changed = true;
  }
  return changed;
}

}  // namespace

bool RemoveDeadCode(Graph& graph, const PassContext&) {
  const bool changed = RemoveUnusedNodes(graph);
  graph.EraseUnusedConstants();
  return changed;
}

}  // namespace tenon
