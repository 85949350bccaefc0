#pragma once
#include <optional>

#include "ir/op.h"
#include "ops/activation.h"

namespace tenon {

/// What a Conv, ConvTranspose or MatMul does with its FP32 sums before they are stored:
///   y = post(activation(sum + bias) + residual), converted to `out`.
/// Bias and residual are operands; the residual has the shape of the output.
struct Epilogue {
  Activation activation = Activation::kNone;
  float alpha = 0, beta = 0;
  Activation post = Activation::kNone;  ///< after the residual: none, relu, silu, ... (without parameters)
  DType compute = DType::kFloat32;      ///< operands are rounded to it; sums are FP32 (FP64 for FP64 models)
  DType out = DType::kFloat32;          ///< element type of the output

  void VisitAttrs(AttrVisitor& visitor);
  /// The whole epilogue on the sums (f64, the output's shape). Bias [channels] goes along `channel_axis`; bias and
  /// residual may be null tensors. The reference that kernels are checked against.
  Tensor Apply(const Tensor& sums, const Tensor& bias, int64_t channel_axis, const Tensor& residual) const;
  /// An operand as the sums take it: rounded to `compute`, as f64.
  Tensor RoundOperand(const Tensor& operand) const { return operand.CastTo(compute).CastTo(DType::kFloat64); }
  /// Checks for Infer: x, weights, bias and residual are floats, bias (operand 2) is [channels], the residual
  /// (operand 3) has the shape of the output. Unknown dimensions: pass nullopt.
  void CheckOperands(std::string_view op, std::span<const InferInput> inputs, std::optional<int64_t> channels,
                     const std::optional<Shape>& output) const;
};

}  // namespace tenon
