#include "passes/common_subexpressions.h"

#include <map>
#include <tuple>

#include "base/hash.h"
#include "ir/text.h"
#include "passes/rewrite.h"

namespace tenon {
namespace {

bool MergeConstants(Graph& graph) {
  std::map<std::pair<std::string, Digest>, Value*> first;
  bool changed = false;
  for (Value* constant : graph.Constants()) {
    const auto key = std::pair(ToString(constant->type()), HashBytes(constant->constant().bytes()));
    const auto [found, is_new] = first.emplace(key, constant);
    if (is_new || graph.IsUnused(constant) || !Identical(found->second->constant(), constant->constant())) continue;
    graph.ReplaceAllUses(constant, found->second);
    changed = true;
  }
  return changed;
}

/// The later node can stand for the earlier's outputs: none was dropped there, none is a graph output twice.
bool CanStandFor(const Graph& graph, const Node& first, const Node& second) {
  for (size_t i = 0; i < second.outputs().size(); ++i) {
    const Value* output = second.output(i);
    if (!output) continue;
    if (!first.output(i) || (graph.IsOutput(output) && graph.IsOutput(first.output(i)))) return false;
  }
  return true;
}

}  // namespace

bool MergeCommonSubexpressions(Graph& graph, const PassContext&) {
  bool changed = MergeConstants(graph);
  std::map<std::tuple<std::string, std::string, std::vector<Value*>>, Node*> seen;
  for (Node* node : graph.NodeList()) {
    if (node->inputs().empty()) continue;  // random generators: equal text, different numbers
    const auto [found, is_new] =
        seen.try_emplace({std::string(node->op().name()), PrintAttrs(node->op()), node->inputs()}, node);
    if (is_new || !CanStandFor(graph, *found->second, *node)) continue;
    for (size_t i = 0; i < node->outputs().size(); ++i) {
      if (node->output(i)) graph.ReplaceAllUses(node->output(i), found->second->output(i));
    }
    found->second->AddSources(node->sources());
    graph.Erase(node);
    changed = true;
  }
  return changed;
}

}  // namespace tenon
