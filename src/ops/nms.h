#pragma once
#include "ir/op.h"

namespace tenon {

/// ONNX NonMaxSuppression: inputs boxes f32 [batch, N, 4], scores f32 [batch, classes, N], and optional scalars: the
/// most boxes per class (i64; absent: 0), IoU threshold, score threshold (f32). Per batch entry and class, boxes are
/// taken by falling score (equal ones by index); one whose IoU with a taken box is above the threshold is left out.
/// Output: i64 [count, 3] of (batch, class, box). Boxes are (y1, x1, y2, x2), any two opposite corners, or
/// (x, y, width, height) of the centre. A box whose score is NaN is never taken.
struct NonMaxSuppression : OpBase<NonMaxSuppression> {
  static constexpr std::string_view kName = "NonMaxSuppression";
  bool center_point_box = false;
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

}  // namespace tenon
