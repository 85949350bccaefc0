#include "passes/lower_dfl.h"

#include <algorithm>

#include "ops/conv.h"
#include "ops/index.h"
#include "ops/reduce.h"
#include "passes/fusable.h"
#include "passes/rewrite.h"

namespace tenon {
namespace {

constexpr int64_t kMaxBins = 64;

bool IsSoftmaxThroughTransposes(const Value* value) {
  while (const Node* transpose = ProducerOf<Transpose>(value)) value = transpose->input(0);
  return ProducerOf<Softmax>(value) != nullptr;
}

bool IsBinSum(const Node& node) {
  const auto* conv = node.As<Conv>();
  if (!conv || conv->groups != 1 || !HasPlainEpilogue(node) || node.input(kBiasOperand)) return false;
  const Value* weights = node.input(kWeightsOperand);
  if (!weights->is_constant() || weights->shape()[0] != 1 || weights->shape()[1] > kMaxBins) return false;
  const bool is_point = weights->constant().elems() == weights->shape()[1] &&
                        std::all_of(conv->strides.begin(), conv->strides.end(), [](int64_t s) { return s == 1; }) &&
                        std::all_of(conv->pads.begin(), conv->pads.end(), [](int64_t p) { return p == 0; });
  return is_point && weights->dtype() == node.input(0)->dtype() && IsSoftmaxThroughTransposes(node.input(0));
}

}  // namespace

bool LowerDfl(Graph& graph, const PassContext&) {
  bool changed = false;
  for (Node* node : graph.NodeList()) {
    if (!IsBinSum(*node)) continue;
    // [1, bins, 1, 1] broadcasts over the batch and the positions.
    Value* bins = graph.AddConstant(node->input(kWeightsOperand)->constant());
    const Node* weighted = graph.AddOp(MakeBinary(BinaryKind::kMul), {node->input(0), bins}, node->name(), node);
    Reduce sum;
    sum.kind = ReduceKind::kSum;
    ReplaceByNode(graph, node->output(), std::make_unique<Reduce>(sum),
                  {weighted->output(), AddIntsConstant(graph, {1})});
    changed = true;
  }
  return changed;
}

}  // namespace tenon
