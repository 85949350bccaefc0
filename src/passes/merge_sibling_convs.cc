#include "passes/merge_sibling_convs.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "ir/text.h"
#include "ops/conv.h"
#include "ops/index.h"
#include "ops/pointwise.h"
#include "passes/fusable.h"
#include "passes/rewrite.h"

namespace tenon {
namespace {

/// The node multiplies the value by constants: factors that become part of what the conv before it stores.
bool MultipliesByFactors(const Node& node, const Value* value) {
  const auto* binary = node.As<Binary>();
  return binary && binary->kind == BinaryKind::kMul && node.input(0) == value && node.input(1)->is_constant();
}

/// What the conv stores lies in the buffer of a Concat, so that it can't be a part of the wide output as well.
bool FeedsConcat(const Value* value) {
  return std::any_of(value->users().begin(), value->users().end(), [&](const Node* user) {
    return user->As<Concat>() || (MultipliesByFactors(*user, value) && FeedsConcat(user->output()));
  });
}

/// What siblings must have in common; nothing for a Conv that can't be merged.
std::optional<std::string> SiblingKey(const Graph& graph, const Node& node) {
  const auto* conv = node.As<Conv>();
  const Value* weights = node.input(kWeightsOperand);
  const Value* bias = node.input(kBiasOperand);
  const bool fits = conv && conv->groups == 1 && !node.input(kResidualOperand) && weights->is_constant() &&
                    (!bias || bias->is_constant()) && node.output()->has_shape() && !graph.IsOutput(node.output()) &&
                    !FeedsConcat(node.output());
  if (!fits) return {};
  Shape kernel = weights->shape();
  kernel[0] = 0;  // output channels may differ
  return fmt::format("{} {} {} {}", PrintAttrs(*conv), ToString(weights->dtype()), ToString(kernel),
                     bias ? ToString(bias->dtype()) : "f32");
}

/// Constants joined along their first dimension.
Tensor Joined(const std::vector<Tensor>& parts) {
  Shape shape = parts.front().shape();
  shape[0] = 0;
  for (const Tensor& part : parts) shape[0] += part.shape()[0];
  Tensor joined(parts.front().dtype(), shape);
  std::byte* out = joined.raw();
  for (const Tensor& part : parts) {
    if (part.size_bytes() > 0) std::memcpy(out, part.raw(), static_cast<size_t>(part.size_bytes()));
    out += part.size_bytes();
  }
  return joined;
}

Tensor BiasOf(const Node& conv) {
  if (const Value* bias = conv.input(kBiasOperand)) return bias->constant();
  return Tensor(DType::kFloat32, {conv.input(kWeightsOperand)->shape()[0]});
}

void Merge(Graph& graph, const std::vector<Node*>& siblings) {
  const Node* first = siblings.front();  // in graph order: all read what is made before it
  std::vector<Tensor> weights, biases;
  std::vector<int64_t> sizes;
  std::vector<std::string> sources;
  for (const Node* node : siblings) {
    weights.push_back(node->input(kWeightsOperand)->constant());
    biases.push_back(BiasOf(*node));
    sizes.push_back(weights.back().shape()[0]);
    sources.insert(sources.end(), node->sources().begin(), node->sources().end());
  }
  Node* wide = graph.Add(first->op().Clone(),
                         {first->input(0), graph.AddConstant(Joined(weights)), graph.AddConstant(Joined(biases))},
                         first->name(), first);
  wide->AddSources(sources);
  Split split;
  split.axis = 1;
  split.num_outputs = static_cast<int64_t>(siblings.size());
  const Node* pieces = graph.AddOp(split, {wide->output(), AddIntsConstant(graph, sizes)}, "", first);
  for (size_t i = 0; i < siblings.size(); ++i) {
    graph.ReplaceAllUses(siblings[i]->output(), pieces->output(i));
    graph.Erase(siblings[i]);
  }
}

}  // namespace

bool MergeSiblingConvs(Graph& graph, const PassContext&) {
  // Keyed by the position of the first sibling, so that the result doesn't depend on addresses.
  std::map<std::pair<const Value*, std::string>, size_t> group_of;
  std::vector<std::vector<Node*>> groups;
  for (Node* node : graph.NodeList()) {
    const auto key = SiblingKey(graph, *node);
    if (!key) continue;
    const auto [found, is_new] = group_of.try_emplace({node->input(0), *key}, groups.size());
    if (is_new) groups.emplace_back();
    groups[found->second].push_back(node);
  }
  bool changed = false;
  for (const std::vector<Node*>& siblings : groups) {
    if (siblings.size() < 2) continue;
    Merge(graph, siblings);
    changed = true;
  }
  return changed;
}

}  // namespace tenon
