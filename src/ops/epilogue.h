#pragma once
#include <optional>

#include "ir/op.h"
#include "ops/activation.h"
#include "ops/quantization.h"

namespace tenon {

/// What a Conv, ConvTranspose or MatMul does with its FP32 sums before they are stored:
///   y = post(activation(sum + bias) + residual), converted to `out`.
/// Bias and residual are operands; the residual has the shape of the output.
///
/// With `compute == kInt8` x is u8, the weights are i8 (symmetric), operand 4 holds their scales, f32 [channels], and
/// the sums are exact integers: sum((x - x.zero_point) * w), elements outside the image adding nothing. Then, in FP32,
///   r = fma(float(sum), x.scale * weight_scale[channel], bias[channel]);  y = post(activation(r) + residual),
/// the residual a float or u8, and y stored as a float or as u8. Sums of floats are stored as u8 too where an INT8
/// layer reads them (`quantization.y`). A Conv that stores u8 may have factors, operand 5, f32 [channels]: a channel is
/// stored with the scale y.scale / factor.
struct Epilogue {
  Activation activation = Activation::kNone;
  float alpha = 0, beta = 0;
  Activation post = Activation::kNone;  ///< after the residual: none, relu, silu, ... (without parameters)
  DType compute = DType::kFloat32;      ///< operands are rounded to it, sums are FP32 (FP64 for FP64 models); or kInt8
  DType out = DType::kFloat32;          ///< element type of the output
  Quantization quantization;            ///< with kInt8; of other types y, where `out` is u8

  bool is_int8() const { return compute == DType::kInt8; }
  void VisitAttrs(AttrVisitor& visitor);
  /// The whole epilogue on the sums (f64, the output's shape). Bias [channels] goes along `channel_axis`; bias and
  /// residual may be null tensors. The reference that kernels are checked against.
  /// `operands` are the op's, of which this takes the bias, the residual and the weight scales.
  Tensor Apply(const Tensor& sums, int64_t channel_axis, std::span<const Tensor> operands) const;
  /// x as the sums take it: rounded to `compute`, or less its zero point; as f64, which holds those integers exactly.
  Tensor RoundX(const Tensor& x) const;
  /// The weights as the sums take them, as f64.
  Tensor RoundWeights(const Tensor& weights) const { return weights.CastTo(compute).CastTo(DType::kFloat64); }
  /// Checks for Infer: types of x, weights, bias and residual, bias (operand 2) is [channels], the residual
  /// (operand 3) has the shape of the output, weight scales are there (operand 4) exactly with kInt8. Unknown
  /// dimensions: pass nullopt.
  void CheckOperands(std::string_view op, std::span<const InferInput> inputs, std::optional<int64_t> channels,
                     const std::optional<Shape>& output) const;

 private:
  void CheckTypes(std::string_view op, std::span<const InferInput> inputs) const;
  void CheckOut(std::string_view op) const;
  void CheckFactors(std::string_view op, std::span<const InferInput> inputs) const;
  /// Steps of the stored grid that a unit of a channel is worth.
  float StepsOf(std::span<const Tensor> operands, int64_t channel) const;
  Tensor ApplyFloat(const Tensor& sums, int64_t channel_axis, std::span<const Tensor> operands) const;
  Tensor ApplyInt8(const Tensor& sums, int64_t channel_axis, std::span<const Tensor> operands) const;
};

}  // namespace tenon
