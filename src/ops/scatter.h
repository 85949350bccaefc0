#pragma once
#include <array>

#include "ir/op.h"

namespace tenon {

/// How an update joins the element in its place. Updates are applied in order: of several without reduction, the last
/// one stays. Integers wrap around; for bool, add and max are "or", mul and min are "and".
enum class ScatterReduction { kNone, kAdd, kMul, kMin, kMax };
inline constexpr std::array<std::string_view, 5> kScatterReductionNames = {"none", "add", "mul", "min", "max"};

/// ONNX ScatterElements (opset 18): inputs x, indices (i32, i64), updates (same shape as indices). The output is x with
/// the element at [..indices[..i..]..] along `axis` updated.
struct ScatterElements : OpBase<ScatterElements> {
  static constexpr std::string_view kName = "ScatterElements";
  int64_t axis = 0;
  ScatterReduction reduction = ScatterReduction::kNone;
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// ONNX ScatterND (opset 18): inputs x, indices [..., K], updates [..., rest of x's shape].
struct ScatterND : OpBase<ScatterND> {
  static constexpr std::string_view kName = "ScatterND";
  ScatterReduction reduction = ScatterReduction::kNone;
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

}  // namespace tenon
