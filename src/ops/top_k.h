#pragma once
#include "ir/op.h"

namespace tenon {

/// ONNX TopK (opset 11): inputs x, k (i64, one element). Outputs: the k largest (or smallest) elements along `axis`,
/// and their indices (i64). Always sorted; of equal elements the one with the lower index comes first; NaN is the
/// largest.
struct TopK : OpBase<TopK> {
  static constexpr std::string_view kName = "TopK";
  int64_t axis = -1;
  bool largest = true;
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

}  // namespace tenon
