#include "ops/shape_rules.h"

#include <algorithm>

namespace tenon {

TensorType KnownType(std::string_view op, DType dtype, Shape shape) {
  CheckTensorSize(op, dtype, shape);
  return {dtype, std::move(shape)};
}

std::vector<Tensor> AllocateOutputs(const Op& op, std::span<const Tensor> inputs) {
  std::vector<Tensor> outputs;
  for (TensorType& type : InferTensors(op, inputs)) {
    TENON_CHECK(type.shape.has_value(), "{}: no shape for given operands", op.name());
    outputs.emplace_back(type.dtype, *std::move(type.shape));
  }
  return outputs;
}

std::optional<std::vector<int64_t>> IntsOperand(std::string_view op, std::span<const InferInput> inputs, size_t i) {
  TENON_CHECK(!IsAbsent(inputs, i));
  CheckDType(op, inputs, i, {DType::kInt64, DType::kInt32});
  const Shape* shape = KnownShape(inputs, i);
  if (shape && shape->size() > 1)
    ThrowInvalid("{}: operand {} must have one dimension, not {}", op, i, ToString(*shape));
  if (!inputs[i].value) return std::nullopt;
  return inputs[i].value->AsInts();
}

std::optional<int64_t> IntOperand(std::string_view op, std::span<const InferInput> inputs, size_t i) {
  const auto values = IntsOperand(op, inputs, i);
  if (!values) return std::nullopt;
  if (values->size() != 1) ThrowInvalid("{}: operand {} must have one element, not {}", op, i, values->size());
  return values->front();
}

std::vector<int64_t> IntsOf(std::string_view op, const Tensor& tensor) {
  const TensorType type = tensor.type();
  const InferInput input{&type, &tensor};
  return *IntsOperand(op, {&input, 1}, 0);
}

std::vector<int64_t> NormalizeAxes(std::string_view op, std::span<const int64_t> axes, int64_t rank) {
  std::vector<int64_t> result;
  for (const int64_t axis : axes) {
    const int64_t positive = NormalizeAxis(op, axis, rank);
    if (std::find(result.begin(), result.end(), positive) != result.end())
      ThrowInvalid("{}: axis {} is listed twice", op, axis);
    result.push_back(positive);
  }
  return result;
}

}  // namespace tenon
