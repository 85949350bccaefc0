#pragma once
#include "ir/op.h"

namespace tenon {

/// ONNX BatchNormalization in inference: (x - mean) / sqrt(variance + epsilon) * scale + bias per channel (axis 1).
/// Inputs: x [N,C,...], scale, bias, mean, variance [C] (floats, may be wider than x).
struct BatchNorm : OpBase<BatchNorm> {
  static constexpr std::string_view kName = "BatchNorm";
  float epsilon = 1e-5f;
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// ONNX GroupNormalization (opset 21) and, with one group per channel, InstanceNormalization: each sample's group of
/// C / groups channels is normalised to mean 0 and variance 1, then scaled per channel.
/// Inputs: x [N,C,...], scale [C], bias [C]. Mean and variance in double.
struct GroupNorm : OpBase<GroupNorm> {
  static constexpr std::string_view kName = "GroupNorm";
  int64_t groups = 1;
  float epsilon = 1e-5f;
  OpClass op_class() const override { return OpClass::kReduction; }
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// ONNX LayerNormalization over the dimensions from `axis` on. Inputs: x, scale, bias (optional), the latter two
/// broadcast to x. Outputs: y; mean and 1 / standard deviation (f32; the normalised dimensions are 1).
struct LayerNorm : OpBase<LayerNorm> {
  static constexpr std::string_view kName = "LayerNorm";
  int64_t axis = -1;
  float epsilon = 1e-5f;
  OpClass op_class() const override { return OpClass::kReduction; }
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// ONNX LRN: x / (bias + alpha / size * sum of x^2 over `size` neighbouring channels)^beta. Input: x [N,C,...].
struct Lrn : OpBase<Lrn> {
  static constexpr std::string_view kName = "Lrn";
  int64_t size = 1;
  float alpha = 1e-4f, beta = 0.75f, bias = 1;
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

}  // namespace tenon
