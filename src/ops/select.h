#pragma once
#include "ir/op.h"

namespace tenon {

// Ops whose output shape depends on the elements of the input: Infer gives types without shapes.

/// ONNX NonZero: the indices of the elements that aren't 0, i64 [rank, count], in row-major order. NaN isn't 0.
struct NonZero : OpBase<NonZero> {
  static constexpr std::string_view kName = "NonZero";
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// ONNX Compress: inputs x, condition (bool, 1-D, may be shorter than the axis); the slices of x along `axis` where the
/// condition holds, or the elements of x flattened when `flatten`.
struct Compress : OpBase<Compress> {
  static constexpr std::string_view kName = "Compress";
  bool flatten = true;
  int64_t axis = 0;
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// ONNX Unique: the distinct slices of x along `axis` (or elements, when `flatten`), sorted or in order of first
/// occurrence. Outputs: y; and i64, 1-D: the first index of each, for every slice of x its place in y, the counts.
/// NaNs are equal to each other and sort last.
struct Unique : OpBase<Unique> {
  static constexpr std::string_view kName = "Unique";
  bool flatten = true;
  int64_t axis = 0;
  bool sorted = true;
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

}  // namespace tenon
