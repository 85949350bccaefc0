#pragma once
#include "ir/op.h"

namespace tenon {

// Indices are i32 or i64; negative ones count from the end, others outside the axis are errors.

/// ONNX Gather: inputs x, indices; slices of x along `axis`, the axis replaced by the shape of indices.
struct Gather : OpBase<Gather> {
  static constexpr std::string_view kName = "Gather";
  int64_t axis = 0;
  OpClass op_class() const override { return OpClass::kIndex; }
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// ONNX GatherElements: inputs x, indices of the same rank; y[..i..] = x[..indices[..i..]..] along `axis`.
struct GatherElements : OpBase<GatherElements> {
  static constexpr std::string_view kName = "GatherElements";
  int64_t axis = 0;
  OpClass op_class() const override { return OpClass::kIndex; }
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// ONNX GatherND: inputs x, indices [..., K]; the last dimension of indices picks x[i0, ..., iK-1, :, ...] after
/// `batch_dims` common leading dimensions.
struct GatherND : OpBase<GatherND> {
  static constexpr std::string_view kName = "GatherND";
  int64_t batch_dims = 0;
  OpClass op_class() const override { return OpClass::kIndex; }
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// A gather index made non-negative and checked against the axis.
int64_t CheckedIndex(std::string_view op, int64_t index, int64_t dim);

}  // namespace tenon
