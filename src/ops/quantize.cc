#include "ops/quantize.h"

#include <algorithm>
#include <cmath>

#include "ops/operands.h"

namespace tenon {
namespace {

/// Which element of the scale belongs to an element of x, x seen as [outer, axis, inner].
struct ScaleMap {
  int64_t scales = 1;     ///< along the axis; 1: one for all
  int64_t block = 1;      ///< elements of the axis that share one
  bool per_line = false;  ///< blocked: other scales for every outer and inner index
  AxisSplit split;

  int64_t At(int64_t i) const {
    if (scales == 1 && !per_line) return 0;
    const int64_t at = i / split.inner % split.size / block;
    if (!per_line) return at;
    return (i / (split.inner * split.size) * scales + at) * split.inner + i % split.inner;
  }
};

[[noreturn]] void ThrowScaleShape(std::string_view op, const Shape& x, const Shape& scale) {
  ThrowInvalid({.what = fmt::format("{}: scale doesn't fit", op),
                .got = fmt::format("{} for {}", ToString(scale), ToString(x)),
                .expected = "one element, one per index of the axis, or one per block"});
}

ScaleMap MapScale(std::string_view op, const Shape& x, const Shape& scale, int64_t axis, int64_t block_size) {
  ScaleMap map;
  if (block_size == 0 && scale.size() <= 1 && ElemCount(scale) == 1) return map;
  const int64_t at = NormalizeAxis(op, axis, static_cast<int64_t>(x.size()));
  map.split = SplitAtAxis(x, at);
  if (block_size == 0) {
    if (scale != Shape{x[at]}) ThrowScaleShape(op, x, scale);
    map.scales = x[at];
    return map;
  }
  Shape blocked = x;
  blocked[at] = x[at] / block_size + (x[at] % block_size != 0);
  if (scale != blocked) ThrowScaleShape(op, x, scale);
  map.scales = blocked[at];
  map.block = block_size;
  map.per_line = true;
  return map;
}

void CheckScale(std::string_view op, std::span<const InferInput> inputs, int64_t axis, int64_t block_size) {
  CheckFloat(op, inputs, 1);
  if (block_size < 0) ThrowInvalid("{}: block_size {}", op, block_size);
  if (!inputs[1].type->shape) return;
  CheckShape(op, inputs, 2, *inputs[1].type->shape);
  if (inputs[0].type->shape) MapScale(op, *inputs[0].type->shape, *inputs[1].type->shape, axis, block_size);
}

Tensor ZeroPoints(std::span<const Tensor> inputs) {
  const Tensor given = OperandOrNull(inputs, 2);
  return given.is_null() ? Tensor(DType::kInt64, inputs[1].shape()) : given.CastTo(DType::kInt64);
}

}  // namespace

void QuantizeLinear::VisitAttrs(AttrVisitor& visitor) {
  visitor.Type("to", to);
  visitor.Int("axis", axis);
  visitor.Int("block_size", block_size);
}

std::vector<TensorType> QuantizeLinear::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 2, 3);
  CheckDType(kName, inputs, 0, {DType::kFloat32, DType::kFloat16, DType::kBFloat16, DType::kFloat64, DType::kInt32});
  if (to != DType::kInt8 && to != DType::kUInt8) ThrowInvalid("QuantizeLinear: to {}, expected i8 or u8", ToString(to));
  CheckDType(kName, inputs, 2, {to});
  CheckScale(kName, inputs, axis, block_size);
  return {{to, inputs[0].type->shape}};
}

std::vector<Tensor> QuantizeLinear::Evaluate(std::span<const Tensor> inputs) const {
  InferTensors(*this, inputs);
  const Tensor x = inputs[0].CastTo(DType::kFloat32), scale = inputs[1].CastTo(DType::kFloat32),
               zero_point = ZeroPoints(inputs);
  const ScaleMap map = MapScale(kName, x.shape(), scale.shape(), axis, block_size);
  const float lowest = to == DType::kInt8 ? -128 : 0, highest = to == DType::kInt8 ? 127 : 255;
  Tensor y(DType::kInt64, x.shape());
  for (int64_t i = 0; i < x.elems(); ++i) {
    const int64_t at = map.At(i);
    // The quotient is rounded to FP32 first, as ONNX Runtime does: what is a tie depends on it.
    const float quotient = std::nearbyint(x.data<float>()[i] / scale.data<float>()[at]);
    const float shifted = quotient + static_cast<float>(zero_point.data<int64_t>()[at]);
    y.data<int64_t>()[i] = std::isnan(shifted) ? 0 : static_cast<int64_t>(std::clamp(shifted, lowest, highest));
  }
  return {y.CastTo(to)};
}

void DequantizeLinear::VisitAttrs(AttrVisitor& visitor) {
  visitor.Type("to", to);
  visitor.Int("axis", axis);
  visitor.Int("block_size", block_size);
}

std::vector<TensorType> DequantizeLinear::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 2, 3);
  CheckDType(kName, inputs, 0, {DType::kInt8, DType::kUInt8, DType::kInt32});
  CheckSameDType(kName, inputs, 2);
  if (!IsFloat(to)) ThrowInvalid("DequantizeLinear: to {}, expected a float", ToString(to));
  CheckScale(kName, inputs, axis, block_size);
  return {{to, inputs[0].type->shape}};
}

std::vector<Tensor> DequantizeLinear::Evaluate(std::span<const Tensor> inputs) const {
  InferTensors(*this, inputs);
  const Tensor x = inputs[0].CastTo(DType::kInt64), scale = inputs[1].CastTo(DType::kFloat64),
               zero_point = ZeroPoints(inputs);
  const ScaleMap map = MapScale(kName, x.shape(), scale.shape(), axis, block_size);
  Tensor y(DType::kFloat64, x.shape());
  for (int64_t i = 0; i < x.elems(); ++i) {
    const int64_t at = map.At(i);
    y.data<double>()[i] =
        static_cast<double>(x.data<int64_t>()[i] - zero_point.data<int64_t>()[at]) * scale.data<double>()[at];
  }
  return {y.CastTo(to)};
}

}  // namespace tenon
