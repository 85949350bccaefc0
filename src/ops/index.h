#pragma once
#include "ir/op.h"

namespace tenon {

/// ONNX Reshape: inputs x, shape (i64; 0 copies a dimension unless allow_zero, -1 is inferred). Flatten, Squeeze and
/// Unsqueeze whose axes are known at import become Reshape.
struct Reshape : OpBase<Reshape> {
  static constexpr std::string_view kName = "Reshape";
  bool allow_zero = false;
  OpClass op_class() const override { return OpClass::kIndex; }
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// Output dimension i is input dimension perm[i]; empty: reversed.
struct Transpose : OpBase<Transpose> {
  static constexpr std::string_view kName = "Transpose";
  std::vector<int64_t> perm;
  OpClass op_class() const override { return OpClass::kIndex; }
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// ONNX Slice: inputs x, starts, ends, axes (optional), steps (optional).
struct Slice : OpBase<Slice> {
  static constexpr std::string_view kName = "Slice";
  OpClass op_class() const override { return OpClass::kIndex; }
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// One axis of a Slice made concrete: elements start, start + step, ... (count of them).
struct SliceRange {
  int64_t start = 0, step = 1, count = 0;
};
/// The ranges of every axis of a tensor of `shape`, from Slice's operands (axes, steps may be null tensors).
std::vector<SliceRange> ResolveSlice(const Shape& shape, const Tensor& starts, const Tensor& ends, const Tensor& axes,
                                     const Tensor& steps);

/// Joins along `axis` (may be negative).
struct Concat : OpBase<Concat> {
  static constexpr std::string_view kName = "Concat";
  int64_t axis = 0;
  OpClass op_class() const override { return OpClass::kIndex; }
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// ONNX Split: inputs x, sizes (optional: else num_outputs equal parts, the last smaller).
struct Split : OpBase<Split> {
  static constexpr std::string_view kName = "Split";
  int64_t axis = 0;
  int64_t num_outputs = 1;
  OpClass op_class() const override { return OpClass::kIndex; }
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// Broadcasts x to the shape operand (ONNX Expand: two-way).
struct Expand : OpBase<Expand> {
  static constexpr std::string_view kName = "Expand";
  OpClass op_class() const override { return OpClass::kIndex; }
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

}  // namespace tenon
