#include "passes/lower_dynamic_quantization.h"

#include <algorithm>

#include "ops/pointwise.h"
#include "ops/quantize.h"
#include "passes/rewrite.h"

namespace tenon {
namespace {

struct ByteRange {
  float low, high;
};

ByteRange RangeOf(DType dtype) { return dtype == DType::kInt8 ? ByteRange{-128, 127} : ByteRange{0, 255}; }

bool IsByte(DType dtype) { return dtype == DType::kInt8 || dtype == DType::kUInt8; }

bool IsCastToFloat(const Node* node) { return node->As<Cast>() && node->output()->dtype() == DType::kFloat32; }

bool IsOneNumber(const Value* value) { return value && value->has_shape() && value->shape().empty(); }

/// Q of FP32 by run-time numbers, which casts to FP32 alone read.
bool IsDynamic(const Graph& graph, const Node& node) {
  if (!node.As<QuantizeLinear>() || node.input(0)->dtype() != DType::kFloat32 || !IsByte(node.output()->dtype()) ||
      graph.IsOutput(node.output()) || node.output()->users().empty())
    return false;
  if (!IsOneNumber(node.input(1)) || !IsOneNumber(node.input(2)) || node.input(1)->is_constant()) return false;
  const auto& users = node.output()->users();
  return std::all_of(users.begin(), users.end(),
                     [&](const Node* user) { return IsCastToFloat(user) && !graph.IsOutput(user->output()); });
}

Value* AddUnary(Graph& graph, const Node& origin, const Unary& op, Value* x) {
  return graph.AddOp(op, {x}, origin.name(), &origin)->output();
}

Value* AddBinary(Graph& graph, const Node& origin, BinaryKind kind, Value* a, Value* b) {
  return graph.AddOp(MakeBinary(kind), {a, b}, origin.name(), &origin)->output();
}

void LowerIntegers(Graph& graph, Node* node) {
  const ByteRange range = RangeOf(node->output()->dtype());
  Cast to_float;
  to_float.to = DType::kFloat32;
  Value* zero_point = graph.AddOp(to_float, {node->input(2)}, node->name(), node)->output();
  Value* steps = AddUnary(graph, *node, MakeUnary(UnaryKind::kRound),
                          AddBinary(graph, *node, BinaryKind::kDiv, node->input(0), node->input(1)));
  Value* whole = AddUnary(graph, *node, MakeUnary(UnaryKind::kClip, range.low, range.high),
                          AddBinary(graph, *node, BinaryKind::kAdd, steps, zero_point));
  const std::vector<Node*> casts = node->output()->users();
  for (Node* cast : casts) ReplaceValue(graph, cast->output(), whole);  // the last one takes the Q with it
}

/// Whole numbers that a byte holds: Round(Clip(...)) within its range.
bool FitsByte(const Value* value, DType dtype) {
  const Node* round = ProducerOf(value, UnaryKind::kRound);
  const Node* clip = round ? ProducerOf(round->input(0), UnaryKind::kClip) : nullptr;
  if (!clip || value->dtype() != DType::kFloat32) return false;
  const auto* limits = clip->As<Unary>();
  return limits->alpha >= RangeOf(dtype).low && limits->beta <= RangeOf(dtype).high;
}

/// Cast(Cast(whole numbers) to bytes) to FP32.
bool RemoveRoundTrip(Graph& graph, Node* node) {
  if (!IsCastToFloat(node)) return false;
  const Node* to_byte = ProducerOf<Cast>(node->input(0));
  if (!to_byte || !IsByte(to_byte->output()->dtype()) || !FitsByte(to_byte->input(0), to_byte->output()->dtype()) ||
      !MayForward(graph, node->output(), to_byte->input(0)))
    return false;
  ReplaceValue(graph, node->output(), to_byte->input(0));
  return true;
}

}  // namespace

bool LowerDynamicQuantization(Graph& graph, const PassContext&) {
  std::vector<Node*> dynamic;
  for (Node* node : graph.NodeList()) {
    if (IsDynamic(graph, *node)) dynamic.push_back(node);
  }
  for (Node* node : dynamic) LowerIntegers(graph, node);
  bool changed = !dynamic.empty();
  for (Node* node : graph.NodeList()) changed |= RemoveRoundTrip(graph, node);
  return changed;
}

}  // namespace tenon
