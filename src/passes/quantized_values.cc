#include "passes/quantized_values.h"

#include <algorithm>
#include <cmath>

#include "ops/index.h"
#include "ops/pool.h"
#include "ops/quantize.h"
#include "ops/resize.h"
#include "passes/rewrite.h"

namespace tenon {
namespace {

std::vector<Value*> WithParameters(Graph& graph, Value* value, const QuantizedType& type) {
  const Tensor zero_point = Tensor::Scalar<int64_t>(type.affine.zero_point).CastTo(type.dtype);
  return {value, graph.AddConstant(Tensor::Scalar<float>(type.affine.scale)), graph.AddConstant(zero_point)};
}

bool ReadsFirstOperandAlone(const Node& node) {
  if (const auto* pool = node.As<Pool>()) {
    const bool has_indices = node.outputs().size() > 1 && node.output(1);
    return pool->kind == PoolKind::kMax && !has_indices;
  }
  if (const auto* resize = node.As<Resize>())
    return resize->mode == ResizeMode::kNearest && resize->coordinates != ResizeCoordinates::kTfCropAndResize;
  return node.As<Reshape>() || node.As<Transpose>() || node.As<Slice>() || node.As<Split>() || node.As<Expand>();
}

}  // namespace

std::optional<QuantizedType> QuantizedTypeOf(const Node* node) {
  if (!node || (!node->As<QuantizeLinear>() && !node->As<DequantizeLinear>())) return {};
  const bool dequantizes = node->As<DequantizeLinear>();
  const Value *scale = node->input(1), *zero_point = node->input(2);
  if (!scale->is_constant() || scale->constant().elems() != 1 || scale->constant().rank() > 1) return {};
  if (zero_point && !zero_point->is_constant()) return {};
  QuantizedType type{.dtype = (dequantizes ? node->input(0) : node->output())->dtype()};
  if (type.dtype != DType::kUInt8 && type.dtype != DType::kInt8) return {};
  type.affine.scale = static_cast<float>(scale->constant().AsDouble(0));
  if (!std::isfinite(type.affine.scale) || type.affine.scale <= 0 || !std::isfinite(1 / type.affine.scale)) return {};
  if (zero_point) type.affine.zero_point = zero_point->constant().AsInt(0);
  return type;
}

std::optional<QuantizedType> DequantizedFrom(const Value* value) {
  if (!value || value->dtype() != DType::kFloat32) return {};
  return QuantizedTypeOf(ProducerOf<DequantizeLinear>(value));
}

Value* AddQuantize(Graph& graph, Value* value, const QuantizedType& type, const Node* before) {
  QuantizeLinear op;
  op.to = type.dtype;
  return graph.AddOp(op, WithParameters(graph, value, type), value->name() + ".q", before)->output();
}

Value* AddDequantize(Graph& graph, Value* value, const QuantizedType& type, const Node* before) {
  return graph.AddOp(DequantizeLinear(), WithParameters(graph, value, type), value->name() + ".dq", before)->output();
}

bool CommutesWithQuantization(const Node& node) { return node.As<Concat>() || ReadsFirstOperandAlone(node); }

bool IsDequantized(const Value* value) {
  const Node* node = value ? value->producer() : nullptr;
  if (!node) return false;
  if (node->As<DequantizeLinear>()) return true;
  return CommutesWithQuantization(*node) && IsDequantized(node->input(0));
}

}  // namespace tenon
