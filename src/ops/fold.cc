#include "ops/fold.h"

#include "ops/shape.h"

namespace tenon {
namespace {

/// A value that depends on the shape of the only operand, not on its elements.
std::optional<Tensor> ValueOfShape(const Op& op, std::span<const InferInput> inputs) {
  if (inputs.size() != 1 || !inputs[0].type || !inputs[0].type->shape) return std::nullopt;
  const Shape& shape = *inputs[0].type->shape;
  if (const auto* shape_of = dynamic_cast<const ShapeOf*>(&op)) return shape_of->Value(shape);
  if (dynamic_cast<const Size*>(&op)) return Tensor::Scalar<int64_t>(ElemCount(shape));
  return std::nullopt;
}

/// Operands as tensors, absent ones null; nullopt unless all are constant.
std::optional<std::vector<Tensor>> ConstantOperands(std::span<const InferInput> inputs) {
  std::vector<Tensor> operands;
  for (const InferInput& input : inputs) {
    if (input.type && !input.value) return std::nullopt;
    operands.push_back(input.value ? *input.value : Tensor());
  }
  return operands;
}

}  // namespace

std::optional<std::vector<Tensor>> Fold(const Op& op, std::span<const InferInput> inputs, int64_t max_bytes) {
  if (auto value = ValueOfShape(op, inputs)) return std::vector<Tensor>{*std::move(value)};
  const auto operands = ConstantOperands(inputs);
  if (!operands) return std::nullopt;
  int64_t bytes = 0;
  for (const TensorType& type : op.Infer(inputs)) {
    // Without a shape, the output is bounded by the operands (the ops that choose elements); it is small if they are.
    if (type.shape) bytes += ElemCount(*type.shape) * SizeOf(type.dtype);
  }
  return bytes <= max_bytes ? std::optional(op.Evaluate(*operands)) : std::nullopt;
}

}  // namespace tenon
