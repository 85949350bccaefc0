#include "passes/fuse_pools.h"

#include <algorithm>

#include "ir/text.h"
#include "ops/pool.h"
#include "passes/rewrite.h"

namespace tenon {
namespace {

bool AreOnes(const std::vector<int64_t>& values) {
  return std::all_of(values.begin(), values.end(), [](int64_t value) { return value == 1; });
}

/// Whether the node may be a stage: a maximum over windows of one or two axes, of which kernels have each.
bool IsStage(const Node& node) {
  const auto* pool = node.As<Pool>();
  return pool && pool->kind == PoolKind::kMax && pool->stages == 1 && !node.output(1) && pool->kernel.size() <= 2 &&
         AreOnes(pool->strides) && AreOnes(pool->dilations) && SameShape(node.input(0), node.output());
}

/// The pool that reads `node`'s result and is like it; null when there is none.
Node* NextStage(const Node& node) {
  for (Node* user : node.output()->users()) {
    if (IsStage(*user) && PrintAttrs(user->op()) == PrintAttrs(node.op())) return user;
  }
  return nullptr;
}

/// How many pixels around one the last of so many stages sees.
int64_t BorderOf(const Node& node, size_t stages) {
  const auto& kernel = node.As<Pool>()->kernel;
  return static_cast<int64_t>(stages) * (*std::max_element(kernel.begin(), kernel.end()) - 1);
}

void Join(Graph& graph, const std::vector<Node*>& chain) {
  Pool pool = *chain[0]->As<Pool>();
  pool.stages = std::ssize(chain);
  Node* all = graph.AddOp(std::move(pool), chain[0]->inputs(), chain[0]->name(), chain[0]);
  graph.DropOutput(all, 1);
  for (const Node* node : chain) all->AddSources(node->sources());
  for (size_t i = chain.size(); i-- > 0;) {  // the last first: a node is erased when nobody reads it
    graph.ReplaceAllUses(chain[i]->output(), all->output(StageOutput(static_cast<int64_t>(i))));
    graph.Erase(chain[i]);
  }
}

}  // namespace

bool FusePools(Graph& graph, const PassContext& context) {
  if (!context.joins_pools) return false;
  constexpr int64_t kMostBorder = 16;  // more would be most of what a kernel's block reads
  bool changed = false;
  std::vector<Node*> erased;
  for (Node* node : graph.NodeList()) {
    if (std::find(erased.begin(), erased.end(), node) != erased.end() || !IsStage(*node)) continue;
    std::vector<Node*> chain{node};
    while (BorderOf(*node, chain.size() + 1) <= kMostBorder) {
      Node* next = NextStage(*chain.back());
      if (!next) break;
      chain.push_back(next);
    }
    if (chain.size() < 2) continue;
    Join(graph, chain);
    erased.insert(erased.end(), chain.begin(), chain.end());
    changed = true;
  }
  return changed;
}

}  // namespace tenon
