#include "passes/move_quantization.h"

#include <algorithm>

#include "ops/index.h"
#include "ops/pool.h"
#include "ops/quantize.h"
#include "ops/resize.h"
#include "passes/quantized_values.h"
#include "passes/rewrite.h"

namespace tenon {
namespace {

/// Operands whose elements reach the output: all of a Concat's, the first of others.
size_t MovedOperands(const Node& node) { return node.As<Concat>() ? node.inputs().size() : 1; }

/// All moved operands are dequantised from one and the same type.
std::optional<QuantizedType> CommonSource(const Node& node) {
  const auto type = DequantizedFrom(node.input(0));
  for (size_t i = 1; type && i < MovedOperands(node); ++i) {
    if (DequantizedFrom(node.input(i)) != type) return {};
  }
  return type;
}

/// move(DQ(x)) becomes DQ(move(x)); `next` is the node after it, null at the end.
bool SinkDequantize(Graph& graph, Node* node, const Node* next) {
  const auto type = CommutesWithQuantization(*node) ? CommonSource(*node) : std::nullopt;
  if (!type) return false;
  std::vector<Value*> operands = node->inputs();
  std::vector<Node*> dequantizers;
  for (size_t i = 0; i < MovedOperands(*node); ++i) {
    dequantizers.push_back(operands[i]->producer());
    operands[i] = dequantizers.back()->input(0);
  }
  graph.Rewrite(node, node->op().Clone(), operands);
  for (Value* output : node->outputs()) {
    if (!output) continue;
    Value* real = AddDequantize(graph, output, *type, next);
    graph.ReplaceAllUses(output, real);
    graph.SetInput(real->producer(), 0, output);
  }
  std::sort(dequantizers.begin(), dequantizers.end());
  dequantizers.erase(std::unique(dequantizers.begin(), dequantizers.end()), dequantizers.end());
  for (Node* dequantizer : dequantizers) {
    if (graph.IsUnused(dequantizer->output())) graph.Erase(dequantizer);
  }
  return true;
}

/// Ops that Q rises above: those that make no fewer elements than they read, so that Q has no more to do.
bool MayRiseAbove(const Node& node) { return CommutesWithQuantization(node) && !node.As<Slice>() && !node.As<Split>(); }

/// Q(move(x)) becomes move(Q(x)) where nobody else reads move(x).
bool RaiseQuantize(Graph& graph, Node* quantizer) {
  const auto type = QuantizedTypeOf(quantizer);
  Value* moved = quantizer->input(0);
  Node* move = moved ? moved->producer() : nullptr;
  if (!type || !move || moved->dtype() != DType::kFloat32 || SoleUser(graph, moved) != quantizer ||
      !MayRiseAbove(*move) || graph.IsOutput(quantizer->output()))
    return false;
  std::vector<Value*> operands = move->inputs();
  for (size_t i = 0; i < MovedOperands(*move); ++i) operands[i] = AddQuantize(graph, operands[i], *type, move);
  graph.ReplaceAllUses(quantizer->output(), moved);
  graph.Erase(quantizer);
  graph.Rewrite(move, move->op().Clone(), operands);
  return true;
}

/// Q(DQ(x)) of one type is x.
bool RemovePair(Graph& graph, Node* quantizer) {
  const auto type = QuantizedTypeOf(quantizer);
  if (!type || DequantizedFrom(quantizer->input(0)) != type) return false;
  Value* stored = quantizer->input(0)->producer()->input(0);
  if (!MayForward(graph, quantizer->output(), stored)) return false;
  ReplaceValue(graph, quantizer->output(), stored);
  return true;
}

}  // namespace

bool UnsignActivations(Graph& graph, const PassContext&) {
  bool changed = false;
  for (Node* node : graph.NodeList()) {
    const auto type = node->As<QuantizeLinear>() ? QuantizedTypeOf(node) : std::nullopt;
    if (!type || type->dtype != DType::kInt8 || graph.IsUnused(node->output()) || graph.IsOutput(node->output()))
      continue;
    const std::vector<Node*> readers = node->output()->users();
    const bool fits = std::all_of(readers.begin(), readers.end(), [](const Node* reader) {
      return reader->As<DequantizeLinear>() && QuantizedTypeOf(reader);
    });
    if (!fits) continue;
    const auto unsign = [](QuantizedType from) {
      return QuantizedType{DType::kUInt8, {from.affine.scale, from.affine.zero_point + 128}};
    };
    Value* stored = AddQuantize(graph, node->input(0), unsign(*type), node);
    for (Node* reader : readers) {
      const QuantizedType read = unsign(*QuantizedTypeOf(reader));
      Value* scale = reader->input(1);  // one element, of rank 0 or 1, and the zero point has its shape
      const Tensor number = Tensor::Scalar<int64_t>(read.affine.zero_point).CastTo(read.dtype);
      Value* zero_point = graph.AddConstant(number.Reshaped(scale->shape()));
      graph.Rewrite(reader, reader->op().Clone(), {stored, scale, zero_point});
    }
    graph.Erase(node);
    changed = true;
  }
  return changed;
}

bool MoveQuantization(Graph& graph, const PassContext&) {
  bool changed = false;
  std::vector<Node*> nodes = graph.NodeList();
  for (size_t i = 0; i < nodes.size(); ++i)
    changed |= SinkDequantize(graph, nodes[i], i + 1 < nodes.size() ? nodes[i + 1] : nullptr);
  for (bool rises = true; rises; changed |= rises) {  // each round lifts the Qs that the last one made
    rises = false;
    nodes = graph.NodeList();
    for (auto node = nodes.rbegin(); node != nodes.rend(); ++node)
      rises |= (*node)->As<QuantizeLinear>() && RaiseQuantize(graph, *node);
  }
  for (Node* node : graph.NodeList()) {
    if (node->As<QuantizeLinear>()) changed |= RemovePair(graph, node);
  }
  return changed;
}

}  // namespace tenon
