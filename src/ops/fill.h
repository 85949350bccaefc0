#pragma once
#include "ir/op.h"

namespace tenon {

/// ONNX OneHot: inputs indices (any number), depth (one number), values (off, on). A dimension of size depth is
/// inserted at `axis`; indices outside [-depth, depth) give no "on".
struct OneHot : OpBase<OneHot> {
  static constexpr std::string_view kName = "OneHot";
  int64_t axis = -1;
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// ONNX Trilu: inputs x, k (optional, i64, one element); each matrix of the last two dimensions with the elements
/// below (upper) or above (lower) diagonal k set to 0.
struct Trilu : OpBase<Trilu> {
  static constexpr std::string_view kName = "Trilu";
  bool upper = true;
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// ONNX ReverseSequence: inputs x, lengths (i64, one per batch entry); the first lengths[b] steps of sequence b are
/// reversed. The axes are 0 and 1, in either order.
struct ReverseSequence : OpBase<ReverseSequence> {
  static constexpr std::string_view kName = "ReverseSequence";
  int64_t batch_axis = 1;
  int64_t time_axis = 0;
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

}  // namespace tenon
