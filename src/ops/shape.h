#pragma once
#include "ir/op.h"

namespace tenon {

/// ONNX Shape: the dimensions [start, end) of the input's shape, i64; bounds as in Python slices.
struct ShapeOf : OpBase<ShapeOf> {
  static constexpr std::string_view kName = "Shape";
  static constexpr int64_t kToEnd = INT64_MAX;
  int64_t start = 0;
  int64_t end = kToEnd;
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
  /// The value, from the input's shape alone.
  Tensor Value(const Shape& shape) const;
};

/// ONNX Size: the number of elements, an i64 scalar.
struct Size : OpBase<Size> {
  static constexpr std::string_view kName = "Size";
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// ONNX Squeeze: inputs x, axes (i64; absent: every dimension of size 1). For axes that are no constants; else Reshape.
struct Squeeze : OpBase<Squeeze> {
  static constexpr std::string_view kName = "Squeeze";
  OpClass op_class() const override { return OpClass::kIndex; }
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// ONNX Unsqueeze: inputs x, axes (i64, of the output).
struct Unsqueeze : OpBase<Unsqueeze> {
  static constexpr std::string_view kName = "Unsqueeze";
  OpClass op_class() const override { return OpClass::kIndex; }
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// ONNX Range: start, limit, delta are scalars of one numeric type; element i is start + i * delta.
struct Range : OpBase<Range> {
  static constexpr std::string_view kName = "Range";
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// ONNX EyeLike: ones on diagonal k (0: main, positive: above) of a matrix with the input's shape.
struct EyeLike : OpBase<EyeLike> {
  static constexpr std::string_view kName = "EyeLike";
  DType dtype = DType::kFloat32;
  int64_t k = 0;
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// The shape without `axes` (all of them must be 1); without axes: without every 1.
Shape SqueezedShape(const Shape& shape, const std::optional<std::vector<int64_t>>& axes);
/// The shape with ones inserted so that they stand at `axes` of the result.
Shape UnsqueezedShape(const Shape& shape, const std::vector<int64_t>& axes);

}  // namespace tenon
