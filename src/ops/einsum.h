#pragma once
#include <string>

#include "ir/op.h"

namespace tenon {

/// ONNX Einsum: any number of operands of one type (floats, integers), ellipses, repeated indices (diagonals), implicit
/// output. Sums in double. A pass lowers the two-operand forms that are matrix products to MatMul.
struct Einsum : OpBase<Einsum> {
  static constexpr std::string_view kName = "Einsum";
  std::string equation;
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// An equation resolved for operands of known ranks. Labels are letters; the dimensions of an ellipsis, aligned to the
/// right, are labels from '\x80' on.
struct EinsumTerms {
  std::vector<std::string> operands;  ///< a label per dimension
  std::string output;
};
/// Throws Error(kInvalidInput) where the equation is malformed or doesn't fit the ranks.
EinsumTerms ResolveEinsum(const std::string& equation, const std::vector<int64_t>& ranks);

}  // namespace tenon
