#include "passes/hoist_activations.h"

#include <algorithm>

#include "ops/index.h"
#include "ops/operands.h"
#include "passes/fusable.h"
#include "passes/rewrite.h"

namespace tenon {
namespace {

/// A Conv, ConvTranspose or MatMul for this reader alone that has nothing in its epilogue yet.
bool IsFreeProducer(const Graph& graph, const Value* value, const Node* concat) {
  return value->producer() && EpilogueOf(value->producer()->op()) && HasPlainEpilogue(*value->producer()) &&
         SoleUser(graph, value) == concat;
}

/// The part of a per-channel constant that belongs to channels [begin, begin + count) of the Concat.
Value* SliceConstant(Graph& graph, const std::vector<double>& values, int64_t begin, const Value* part) {
  Shape shape(part->shape().size() - 1, 1);
  shape[0] = part->shape()[1];
  const std::vector<double> slice(values.begin() + begin, values.begin() + begin + shape[0]);
  return graph.AddConstant(FromDoubles(slice, part->dtype(), shape));
}

bool Hoist(Graph& graph, Node* node) {
  const auto* unary = node->As<Unary>();
  const auto* binary = node->As<Binary>();
  const bool is_affine = binary && (binary->kind == BinaryKind::kAdd || binary->kind == BinaryKind::kMul);
  if (!(unary && unary->kind <= UnaryKind::kElu) && !is_affine) return false;
  Node* concat = ProducerOf<Concat>(node->input(0));
  if (!concat || SoleUser(graph, node->input(0)) != node || !SameShape(node->input(0), node->output())) return false;
  const auto& parts = concat->inputs();
  if (!std::all_of(parts.begin(), parts.end(), [&](const Value* part) { return IsFreeProducer(graph, part, concat); }))
    return false;
  const auto values = is_affine ? PerChannelValues(node->input(1), node->output()->shape(), 1) : std::nullopt;
  if (is_affine && (!values || concat->As<Concat>()->axis != 1)) return false;
  std::vector<Value*> results;
  int64_t begin = 0;
  for (Value* part : parts) {
    std::vector<Value*> operands = {part};
    if (is_affine) operands.push_back(SliceConstant(graph, *values, begin, part));
    begin += part->shape().at(1);
    Node* moved = graph.Add(node->op().Clone(), std::move(operands), node->name(), node);
    moved->AddSources(node->sources());
    results.push_back(moved->output());
  }
  ReplaceByNode(graph, node->output(), concat->op().Clone(), std::move(results), concat);
  return true;
}

}  // namespace

bool HoistActivations(Graph& graph, const PassContext&) {
  bool changed = false;
  for (Node* node : graph.NodeList()) {
    if (node->outputs().size() == 1 && node->output()->has_shape()) changed |= Hoist(graph, node);
  }
  return changed;
}

}  // namespace tenon
