#include "quantize/quantizable_convs.h"

#include <algorithm>
#include <functional>
#include <unordered_map>
#include <unordered_set>

#include "ops/conv.h"
#include "ops/evaluate.h"
#include "ops/index.h"
#include "ops/matmul.h"
#include "passes/fusable.h"
#include "passes/quantized_values.h"

namespace tenon {
namespace {

/// Sums of more products than this could leave 32 bits.
constexpr int64_t kMaxProducts = INT32_MAX / (255 * 128);

void AddUnique(std::vector<Value*>& list, Value* value) {
  if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
}

/// Whether the node computes with this operand in a float type: attention, and products of two run-time matrices. A
/// tensor in 8 bits would have to be brought back first, in a step of its own.
bool IsFloatProduct(const Node& node) {
  return node.As<Attention>() || (node.As<MatMul>() && !node.input(kWeightsOperand)->is_constant());
}

/// Whether elements of the value reach a float product through ops that only move them.
bool FeedsFloatProduct(const Value* value, std::unordered_set<const Value*>& seen) {
  if (!value || !seen.insert(value).second) return false;
  return std::any_of(value->users().begin(), value->users().end(), [&](const Node* user) {
    return IsFloatProduct(*user) || (CommutesWithQuantization(*user) &&
                                     std::any_of(user->outputs().begin(), user->outputs().end(),
                                                 [&](const Value* output) { return FeedsFloatProduct(output, seen); }));
  });
}

bool FeedsFloatProduct(const Value* value) {
  std::unordered_set<const Value*> seen;
  return FeedsFloatProduct(value, seen);
}

/// What a float product reads a part of stays real as a whole; the part that the conv reads is a source of its own.
bool IsSource(const Value& value) {
  const Node* node = value.producer();
  if (!node || !CommutesWithQuantization(*node)) return true;
  return !node->As<Concat>() && FeedsFloatProduct(node->input(0)) && !FeedsFloatProduct(&value);
}

void CollectSources(Value* value, std::vector<Value*>& sources) {
  if (IsSource(*value)) {
    if (!value->is_constant()) AddUnique(sources, value);
    return;
  }
  const Node* node = value->producer();
  const size_t moved = node->As<Concat>() ? node->inputs().size() : 1;
  for (size_t i = 0; i < moved; ++i) CollectSources(node->input(i), sources);
}

bool IsQuantizable(const Node& node) {
  const Conv* conv = node.As<Conv>();
  if (!conv || node.outputs().size() != 1 || conv->epilogue.compute != DType::kFloat32 ||
      conv->epilogue.out != DType::kFloat32)
    return false;
  const Value *x = node.input(0), *weights = node.input(kWeightsOperand), *bias = node.input(kBiasOperand);
  if (!x->has_shape() || x->is_constant() || x->dtype() != DType::kFloat32 || !node.output()->has_shape()) return false;
  if (!weights->is_constant() || weights->dtype() != DType::kFloat32 || weights->constant().elems() == 0) return false;
  if (bias && (!bias->is_constant() || bias->dtype() != DType::kFloat32)) return false;
  return weights->constant().elems() / weights->shape()[0] <= kMaxProducts;
}

}  // namespace

std::vector<QuantizableConv> FindQuantizableConvs(const Graph& graph) {
  std::vector<QuantizableConv> convs;
  for (const auto& node : graph.nodes()) {
    if (!IsQuantizable(*node)) continue;
    QuantizableConv conv{.node = node.get(), .input = node->input(0), .sources = {}, .flops = 0};
    CollectSources(conv.input, conv.sources);
    conv.flops = EstimateNodeCost(*node).flops;
    if (!conv.sources.empty()) convs.push_back(std::move(conv));
  }
  return convs;
}

std::set<std::string> QuantizableConvNames(const Graph& graph) {
  std::set<std::string> names;
  for (const QuantizableConv& conv : FindQuantizableConvs(graph)) names.insert(conv.node->name());
  return names;
}

double DenseFlops(const Graph& graph) {
  double flops = 0;
  for (const auto& node : graph.nodes()) {
    if (EpilogueOf(node->op()) || node->As<Attention>()) flops += EstimateNodeCost(*node).flops;
  }
  return flops;
}

ScaleGroups::ScaleGroups(const std::vector<QuantizableConv>& convs) {
  std::unordered_map<Value*, Value*> parent;
  const std::function<Value*(Value*)> root = [&](Value* value) {
    Value*& up = parent.try_emplace(value, value).first->second;
    return up == value ? value : up = root(up);
  };
  for (const QuantizableConv& conv : convs) {
    for (Value* source : conv.sources) parent[root(source)] = root(conv.sources.front());
  }
  std::unordered_map<Value*, size_t> index;
  for (const QuantizableConv& conv : convs) {
    const auto [found, is_new] = index.try_emplace(root(conv.sources.front()), members_.size());
    if (is_new) members_.emplace_back(), inputs_.emplace_back();
    for (Value* source : conv.sources) AddUnique(members_[found->second], source);
    AddUnique(inputs_[found->second], conv.input);
  }
}

}  // namespace tenon
