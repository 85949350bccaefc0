#include "ops/operands.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "ir/limits.h"

namespace tenon {

std::vector<TensorType> InferTensors(const Op& op, std::span<const Tensor> inputs) {
  std::vector<TensorType> types(inputs.size());
  std::vector<InferInput> known(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].is_null()) continue;
    types[i] = inputs[i].type();
    known[i] = {&types[i], &inputs[i]};
  }
  std::vector<TensorType> outputs = op.Infer(known);
  for (const TensorType& type : outputs) {
    if (type.shape) CheckTensorSize(op.name(), type.dtype, *type.shape);
  }
  return outputs;
}

void CheckOperandCount(std::string_view op, std::span<const InferInput> inputs, size_t min, size_t max) {
  if (inputs.size() < min || inputs.size() > max) {
    ThrowInvalid({.what = fmt::format("{}: wrong number of operands", op),
                  .got = std::to_string(inputs.size()),
                  .expected = min == max ? std::to_string(min) : fmt::format("{} to {}", min, max)});
  }
  for (size_t i = 0; i < min; ++i) {
    if (!inputs[i].type) ThrowInvalid("{}: operand {} is missing", op, i);
  }
}

void CheckDType(std::string_view op, std::span<const InferInput> inputs, size_t i,
                std::initializer_list<DType> allowed) {
  if (IsAbsent(inputs, i) || std::find(allowed.begin(), allowed.end(), inputs[i].type->dtype) != allowed.end()) return;
  std::vector<std::string_view> names;
  for (const DType dtype : allowed) names.push_back(ToString(dtype));
  ThrowInvalid({.what = fmt::format("{}: operand {} has the wrong type", op, i),
                .got = std::string(ToString(inputs[i].type->dtype)),
                .expected = fmt::format("{}", fmt::join(names, " or "))});
}

void CheckFloat(std::string_view op, std::span<const InferInput> inputs, size_t i) {
  CheckDType(op, inputs, i, {DType::kFloat32, DType::kFloat16, DType::kBFloat16, DType::kFloat64});
}

void CheckSameDType(std::string_view op, std::span<const InferInput> inputs, size_t i) {
  CheckDType(op, inputs, i, {inputs[0].type->dtype});
}

void CheckShape(std::string_view op, std::span<const InferInput> inputs, size_t i, const Shape& expected) {
  if (IsAbsent(inputs, i) || !inputs[i].type->shape || *inputs[i].type->shape == expected) return;
  ThrowInvalid({.what = fmt::format("{}: operand {} has the wrong shape", op, i),
                .got = ToString(*inputs[i].type->shape),
                .expected = ToString(expected)});
}

int64_t NormalizeAxis(std::string_view op, int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank) ThrowInvalid("{}: axis {} is outside a tensor of rank {}", op, axis, rank);
  return axis < 0 ? axis + rank : axis;
}

std::vector<int64_t> BroadcastStrides(const Shape& shape, const Shape& out) {
  TENON_CHECK(shape.size() <= out.size(), "{} to {}", ToString(shape), ToString(out));
  const std::vector<int64_t> own = ContiguousStrides(shape);
  std::vector<int64_t> strides(out.size(), 0);
  for (size_t i = 0; i < shape.size(); ++i) {
    const size_t at = i + out.size() - shape.size();
    TENON_CHECK(shape[i] == out[at] || shape[i] == 1, "{} to {}", ToString(shape), ToString(out));
    if (shape[i] != 1) strides[at] = own[i];
  }
  return strides;
}

AxisSplit SplitAtAxis(const Shape& shape, int64_t axis) {
  TENON_CHECK(axis >= 0 && axis < static_cast<int64_t>(shape.size()));
  AxisSplit split;
  for (int64_t i = 0; i < axis; ++i) split.outer *= shape[i];
  split.size = shape[axis];
  for (size_t i = axis + 1; i < shape.size(); ++i) split.inner *= shape[i];
  return split;
}

std::vector<double> ToDoubles(const Tensor& tensor) {
  const Tensor wide = tensor.CastTo(DType::kFloat64);
  const auto values = wide.values<double>();
  return {values.begin(), values.end()};
}

Tensor FromDoubles(const std::vector<double>& values, DType dtype, const Shape& shape) {
  return Tensor::Of<double>(shape, values).CastTo(dtype);
}

}  // namespace tenon
