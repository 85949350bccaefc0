#pragma once
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
  /// The whole epilogue on sums: `bias` indexed by `channel_of(i)`, both operands may be null tensors.
  /// Used by the reference evaluation; `sums` has the output's shape.
  Tensor Apply(const std::vector<double>& sums, const Shape& shape, const Tensor& bias, int64_t channel_axis,
               const Tensor& residual) const;
};

}  // namespace tenon
