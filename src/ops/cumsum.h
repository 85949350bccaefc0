#pragma once
#include "ir/op.h"

namespace tenon {

/// ONNX CumSum: sums of the elements up to each, along an axis. Inputs: x (floats, i32, i64), axis (i32 or i64, one
/// element). `exclusive` leaves the element itself out; `reverse` sums from the end.
struct CumSum : OpBase<CumSum> {
  static constexpr std::string_view kName = "CumSum";
  bool exclusive = false;
  bool reverse = false;
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

}  // namespace tenon
