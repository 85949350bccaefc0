#pragma once
#include <array>

#include "ir/op.h"

namespace tenon {

enum class ReduceKind { kSum, kMean, kMax, kMin, kProd, kL1, kL2, kLogSum, kLogSumExp, kSumSquare };
inline constexpr std::array<std::string_view, 10> kReduceNames = {
    "sum", "mean", "max", "min", "prod", "l1", "l2", "log_sum", "log_sum_exp", "sum_square"};

/// ONNX Reduce*: inputs x, axes (optional, i64). Without axes: all of them, or none when noop_with_empty_axes.
struct Reduce : OpBase<Reduce> {
  static constexpr std::string_view kName = "Reduce";
  ReduceKind kind = ReduceKind::kSum;
  bool keep_dims = true;
  bool noop_with_empty_axes = false;
  OpClass op_class() const override { return OpClass::kReduction; }
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// Softmax or LogSoftmax along one axis (opset 13 semantics; the importer turns the older flattening form into
/// Reshapes).
struct Softmax : OpBase<Softmax> {
  static constexpr std::string_view kName = "Softmax";
  int64_t axis = -1;
  bool log = false;
  OpClass op_class() const override { return OpClass::kReduction; }
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

}  // namespace tenon
