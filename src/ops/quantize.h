#pragma once
#include "ir/op.h"

namespace tenon {

/// ONNX QuantizeLinear: saturate(round(x / scale) + zero_point), halves to even, in FP32. Inputs: x (floats or i32),
/// scale (float; one element; [dimension of axis]; or with block_size > 0 x's shape with that dimension divided by it,
/// rounded up), zero_point (optional, of type `to` and scale's shape).
struct QuantizeLinear : OpBase<QuantizeLinear> {
  static constexpr std::string_view kName = "QuantizeLinear";
  DType to = DType::kInt8;  ///< i8 or u8
  int64_t axis = 1;
  int64_t block_size = 0;
  OpClass op_class() const override { return OpClass::kPointwise; }
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// ONNX DequantizeLinear: (x - zero_point) * scale. Inputs: x (i8, u8, i32), scale and zero_point (optional, x's type)
/// as QuantizeLinear's. Importers keep it on constant weights: it carries the model's scales.
struct DequantizeLinear : OpBase<DequantizeLinear> {
  static constexpr std::string_view kName = "DequantizeLinear";
  DType to = DType::kFloat32;
  int64_t axis = 1;
  int64_t block_size = 0;
  OpClass op_class() const override { return OpClass::kPointwise; }
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

}  // namespace tenon
