#pragma once
#include "ir/graph.h"

namespace tenon {

/// A fused region: pointwise, index and small-reduction ops that one generated kernel computes. Inputs and outputs are
/// those of `body`, in order.
struct Region : OpBase<Region> {
  static constexpr std::string_view kName = "Region";
  std::shared_ptr<Graph> body;
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
  Cost EstimateCost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override;
};

}  // namespace tenon
