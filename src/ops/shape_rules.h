#pragma once
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "ir/limits.h"
#include "ops/operands.h"

namespace tenon {

// What the ops that compute shapes share: integer operands, output types. All throw Error(kInvalidInput).

/// The type of an output whose shape is known, checked by CheckTensorSize.
TensorType KnownType(std::string_view op, DType dtype, Shape shape);
/// The type of an output whose shape depends on data.
inline TensorType UnknownType(DType dtype) { return {dtype, std::nullopt}; }

/// Zero-filled tensors of the types that Infer gives for these inputs; all of them must have shapes.
std::vector<Tensor> AllocateOutputs(const Op& op, std::span<const Tensor> inputs);

/// The shape of operand i; null where it isn't known.
inline const Shape* KnownShape(std::span<const InferInput> inputs, size_t i) {
  return inputs[i].type->shape ? &*inputs[i].type->shape : nullptr;
}

/// Operand i (i32 or i64, a scalar or 1-D) as integers; nullopt where its elements aren't constant. It must be present.
std::optional<std::vector<int64_t>> IntsOperand(std::string_view op, std::span<const InferInput> inputs, size_t i);
/// The same for an operand with exactly one element.
std::optional<int64_t> IntOperand(std::string_view op, std::span<const InferInput> inputs, size_t i);
/// The checks of IntsOperand for a tensor at hand.
std::vector<int64_t> IntsOf(std::string_view op, const Tensor& tensor);

/// Axes made non-negative; each at most once.
std::vector<int64_t> NormalizeAxes(std::string_view op, std::span<const int64_t> axes, int64_t rank);

/// Calls f.template operator()<T>() with the unsigned integer type of SizeOf(dtype): for ops that only move elements.
template <class F>
decltype(auto) DispatchWidth(int64_t elem_bytes, F&& f) {
  switch (elem_bytes) {
    case 1:
      return f.template operator()<uint8_t>();
    case 2:
      return f.template operator()<uint16_t>();
    case 4:
      return f.template operator()<uint32_t>();
    default:
      return f.template operator()<uint64_t>();
  }
}

}  // namespace tenon
