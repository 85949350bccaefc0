#pragma once
#include "ops/epilogue.h"

namespace tenon {

/// Batched matrix product as numpy.matmul (ONNX MatMul); ONNX Gemm is imported as MatMul (+ Mul, Add, Transpose) so
/// that alpha, beta, transA, transB need no case here. Inputs: a [...,M,K], b [...,K,N], bias [N] (optional),
/// residual (optional, shape of the output), weight scales [N] (with compute=i8 alone, see Epilogue).
struct MatMul : OpBase<MatMul> {
  static constexpr std::string_view kName = "MatMul";
  Epilogue epilogue;

  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
  Cost EstimateCost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override;
};

/// softmax(scale * q k + mask) v in one op, made by the attention pass. Inputs: q [...,M,D], k [...,D,L] (already
/// transposed as MatMul wants it), v [...,L,E], mask (optional, broadcast to [...,M,L]). Softmax over the last axis.
struct Attention : OpBase<Attention> {
  static constexpr std::string_view kName = "Attention";
  float scale = 1;
  DType compute = DType::kFloat32;
  DType out = DType::kFloat32;

  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
  Cost EstimateCost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override;
};

}  // namespace tenon
