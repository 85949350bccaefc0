#include "passes/fuse_attention.h"

#include <numeric>

#include "ops/index.h"
#include "ops/matmul.h"
#include "ops/operands.h"
#include "ops/reduce.h"
#include "passes/fusable.h"
#include "passes/rewrite.h"

namespace tenon {
namespace {

/// The scores scale * q k + mask.
struct Scores {
  Value* q = nullptr;
  Value* k = nullptr;
  Value* mask = nullptr;
  double scale = 1;
};

bool IsPlainMatMul(const Node* node) {
  return node && node->As<MatMul>() && HasPlainEpilogue(*node) && !node->input(kBiasOperand) &&
         node->output()->has_shape() && node->input(0)->has_shape() && node->input(1)->has_shape() &&
         node->input(0)->shape().size() >= 2 && node->input(1)->shape().size() >= 2;
}

/// value = x * factor; nothing when it is no product with a number.
struct ScaledValue {
  Value* x = nullptr;
  double factor = 1;
};
std::optional<ScaledValue> AsScaled(const Value* value) {
  const Node* node = ProducerOf<Binary>(value);
  if (!node) return {};
  const BinaryKind kind = node->As<Binary>()->kind;
  if (kind == BinaryKind::kDiv) {
    const auto divisor = SplatValue(node->input(1));
    if (divisor && *divisor != 0) return ScaledValue{node->input(0), 1 / *divisor};
  }
  for (const size_t i : {0, 1}) {
    const auto factor = SplatValue(node->input(i));
    if (kind == BinaryKind::kMul && factor) return ScaledValue{node->input(1 - i), *factor};
  }
  return {};
}

/// The operand without the scale that PyTorch puts on q, or half each on q and k, before the product.
Value* PeelScale(const Graph& graph, Value* operand, double& scale) {
  const auto scaled = AsScaled(operand);
  if (!scaled || !SoleUser(graph, operand) || !SameShape(scaled->x, operand)) return operand;
  scale *= scaled->factor;
  return scaled->x;
}

std::optional<Scores> MatchProduct(const Graph& graph, const Value* value, Scores scores) {
  if (const auto scaled = AsScaled(value)) {
    if (!SoleUser(graph, scaled->x) || !SameShape(scaled->x, value)) return {};
    scores.scale = scaled->factor;
    value = scaled->x;
  }
  const Node* product = value->producer();
  if (!IsPlainMatMul(product)) return {};
  scores.q = PeelScale(graph, product->input(0), scores.scale);
  scores.k = PeelScale(graph, product->input(1), scores.scale);
  return scores;
}

std::optional<Scores> MatchScores(const Graph& graph, const Value* value) {
  if (const auto scores = MatchProduct(graph, value, {})) return scores;
  const Node* sum = ProducerOf(value, BinaryKind::kAdd);
  for (const size_t i : {0, 1}) {
    if (!sum || !SoleUser(graph, sum->input(i)) || !SameShape(sum->input(i), value)) continue;
    if (const auto scores = MatchProduct(graph, sum->input(i), {.mask = sum->input(1 - i)})) return scores;
  }
  return {};
}

bool SwapsLastTwo(const Node& node) {
  const auto* transpose = node.As<Transpose>();
  if (!transpose) return false;
  std::vector<int64_t> expected(node.output()->shape().size());
  std::iota(expected.begin(), expected.end(), 0);
  if (expected.size() < 2) return false;
  std::swap(expected[expected.size() - 1], expected[expected.size() - 2]);
  return transpose->perm == expected;
}

/// The probabilities' scores: value = Softmax over the last axis of something that only it reads.
std::optional<Scores> MatchProbabilities(const Graph& graph, const Value* value) {
  const Node* softmax = ProducerOf<Softmax>(value);
  if (!softmax || !SoleUser(graph, value) || !value->has_shape() || softmax->As<Softmax>()->log) return {};
  const auto rank = static_cast<int64_t>(value->shape().size());
  if (NormalizeAxis("Softmax", softmax->As<Softmax>()->axis, rank) != rank - 1 || !SoleUser(graph, softmax->input(0)))
    return {};
  return MatchScores(graph, softmax->input(0));
}

Transpose SwapLastTwo(size_t rank) {
  Transpose transpose;
  transpose.perm.resize(rank);
  std::iota(transpose.perm.begin(), transpose.perm.end(), 0);
  std::swap(transpose.perm[rank - 1], transpose.perm[rank - 2]);
  return transpose;
}

Attention MakeAttention(const Scores& scores, const Node& matmul) {
  Attention attention;
  attention.scale = static_cast<float>(scores.scale);
  attention.compute = matmul.As<MatMul>()->epilogue.compute;
  attention.out = matmul.As<MatMul>()->epilogue.out;
  return attention;
}

bool FusePlain(Graph& graph, Node* node) {
  const auto scores = MatchProbabilities(graph, node->input(0));
  if (!scores) return false;
  ReplaceByNode(graph, node->output(), std::make_unique<Attention>(MakeAttention(*scores, *node)),
                {scores->q, scores->k, node->input(1), scores->mask});
  return true;
}

bool FuseTransposed(Graph& graph, Node* node) {
  const Node* turned = node->input(1)->producer();
  if (!turned || !SwapsLastTwo(*turned) || !SoleUser(graph, node->input(1))) return false;
  const auto scores = MatchProbabilities(graph, turned->input(0));
  if (!scores) return false;
  const Node* v = graph.AddOp(SwapLastTwo(node->input(0)->shape().size()), {node->input(0)}, "", node);
  Node* attention =
      graph.AddOp(MakeAttention(*scores, *node), {scores->q, scores->k, v->output(), scores->mask}, node->name(), node);
  const Value* result = ReplaceByNode(graph, node->output(),
                                      std::make_unique<Transpose>(SwapLastTwo(attention->output()->shape().size())),
                                      {attention->output()});
  attention->AddSources(result->producer()->sources());
  return true;
}

}  // namespace

bool FuseAttention(Graph& graph, const PassContext&) {
  bool changed = false;
  for (Node* node : graph.NodeList()) {
    if (IsPlainMatMul(node)) changed |= FusePlain(graph, node) || FuseTransposed(graph, node);
  }
  return changed;
}

}  // namespace tenon
