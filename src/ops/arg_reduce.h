#pragma once
#include <array>

#include "ir/op.h"

namespace tenon {

enum class ArgReduceKind { kMax, kMin };
inline constexpr std::array<std::string_view, 2> kArgReduceNames = {"max", "min"};

/// ONNX ArgMax, ArgMin: the index (i64) of the largest or smallest element along `axis`; of equal ones the first, or
/// the last with select_last_index. NaN counts as the extreme, as in NumPy. Input: x, any type but bool.
struct ArgReduce : OpBase<ArgReduce> {
  static constexpr std::string_view kName = "ArgReduce";
  ArgReduceKind kind = ArgReduceKind::kMax;
  int64_t axis = 0;
  bool keep_dims = true;
  bool select_last_index = false;
  OpClass op_class() const override { return OpClass::kReduction; }
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

}  // namespace tenon
