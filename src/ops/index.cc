#include "ops/index.h"

#include <algorithm>
#include <numeric>

#include "ops/shape_rules.h"
#include "ops/strided.h"

namespace tenon {
namespace {

/// The dimension that -1 stands for, given the others.
int64_t InferredDim(const Shape& from, const Shape& to, size_t at) {
  int64_t others = 1;
  for (size_t i = 0; i < to.size(); ++i) {
    if (i != at && __builtin_mul_overflow(others, to[i], &others)) ThrowInvalid("Reshape: {} overflows", ToString(to));
  }
  const int64_t elems = ElemCount(from);
  if (others == 0 || elems % others != 0) {
    ThrowInvalid({.what = "Reshape: the elements don't divide", .got = ToString(from), .expected = ToString(to)});
  }
  return elems / others;
}

/// Reshape's target with 0 and -1 resolved; nullopt where that needs the input's shape and it isn't known.
std::optional<Shape> ResolveReshape(const Shape* from, Shape to, bool allow_zero) {
  std::optional<size_t> inferred;
  for (size_t i = 0; i < to.size(); ++i) {
    if (to[i] == -1) {
      if (inferred) ThrowInvalid("Reshape: more than one -1 in {}", ToString(to));
      inferred = i;
    } else if (to[i] < 0) {
      ThrowInvalid("Reshape: bad dimension {} in {}", to[i], ToString(to));
    } else if (to[i] == 0 && !allow_zero) {
      if (!from) return std::nullopt;
      if (i >= from->size()) ThrowInvalid("Reshape: dimension {} of {} has nothing to copy", i, ToString(*from));
      to[i] = (*from)[i];
    }
  }
  if (inferred && !from) return std::nullopt;
  if (inferred) to[*inferred] = InferredDim(*from, to, *inferred);
  if (from && ElemCount(to) != ElemCount(*from)) {
    ThrowInvalid({.what = "Reshape: element counts differ", .got = ToString(*from), .expected = ToString(to)});
  }
  return to;
}

std::vector<int64_t> ResolvePerm(const std::vector<int64_t>& perm, size_t rank) {
  if (perm.empty()) {
    std::vector<int64_t> reversed(rank);
    std::iota(reversed.rbegin(), reversed.rend(), 0);
    return reversed;
  }
  if (perm.size() != rank) ThrowInvalid("Transpose: {} entries in perm for rank {}", perm.size(), rank);
  for (const int64_t axis : perm) {  // no counting from the end here: passes and views take perm as it is
    if (axis < 0) ThrowInvalid("Transpose: perm has {}, expected 0 to {}", axis, rank - 1);
  }
  return NormalizeAxes(Transpose::kName, perm, static_cast<int64_t>(rank));
}

}  // namespace

void Reshape::VisitAttrs(AttrVisitor& visitor) { visitor.Bool("allow_zero", allow_zero); }

std::vector<TensorType> Reshape::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 2, 2);
  const DType dtype = inputs[0].type->dtype;
  auto target = IntsOperand(kName, inputs, 1);
  if (!target) return {UnknownType(dtype)};
  // Checked first, so that the arithmetic on it stays small.
  if (target->size() > kMaxRank) ThrowInvalid("Reshape: rank {} is beyond {}", target->size(), kMaxRank);
  auto shape = ResolveReshape(KnownShape(inputs, 0), *std::move(target), allow_zero);
  return {shape ? KnownType(kName, dtype, *std::move(shape)) : UnknownType(dtype)};
}

std::vector<Tensor> Reshape::Evaluate(std::span<const Tensor> inputs) const {
  return {inputs[0].Reshaped(*InferTensors(*this, inputs)[0].shape)};
}

void Transpose::VisitAttrs(AttrVisitor& visitor) { visitor.Ints("perm", perm); }

std::vector<TensorType> Transpose::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 1, 1);
  const Shape* x = KnownShape(inputs, 0);
  if (!x) return {UnknownType(inputs[0].type->dtype)};
  Shape shape;
  for (const int64_t axis : ResolvePerm(perm, x->size())) shape.push_back((*x)[axis]);
  return {KnownType(kName, inputs[0].type->dtype, std::move(shape))};
}

std::vector<Tensor> Transpose::Evaluate(std::span<const Tensor> inputs) const {
  std::vector<Tensor> outputs = AllocateOutputs(*this, inputs);
  const Tensor& x = inputs[0];
  const std::vector<int64_t> from = ContiguousStrides(x.shape());
  std::vector<int64_t> strides;
  for (const int64_t axis : ResolvePerm(perm, from.size())) strides.push_back(from[axis]);
  const Shape& shape = outputs[0].shape();
  CopyStrided(SizeOf(x.dtype()), shape, outputs[0].raw(), ContiguousStrides(shape), x.raw(), strides);
  return outputs;
}

void Concat::VisitAttrs(AttrVisitor& visitor) { visitor.Int("axis", axis); }

std::vector<TensorType> Concat::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 1, inputs.size());
  std::optional<Shape> joined;
  bool all_known = true;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (IsAbsent(inputs, i)) ThrowInvalid("Concat: operand {} is missing", i);
    CheckSameDType(kName, inputs, i);
    const Shape* shape = KnownShape(inputs, i);
    if (!shape) {
      all_known = false;
    } else if (!joined) {
      NormalizeAxis(kName, axis, static_cast<int64_t>(shape->size()));
      joined = *shape;
    } else {
      Shape same = *shape;
      const bool same_rank = same.size() == joined->size();
      const int64_t at = NormalizeAxis(kName, axis, static_cast<int64_t>(joined->size()));
      if (same_rank) same[at] = (*joined)[at];
      if (same != *joined) {
        ThrowInvalid({.what = fmt::format("Concat: operand {} doesn't fit on axis {}", i, axis),
                      .got = ToString(*shape),
                      .expected = "like " + ToString(*joined)});
      }
      if (__builtin_add_overflow((*joined)[at], (*shape)[at], &(*joined)[at])) ThrowInvalid("Concat: sizes overflow");
    }
  }
  if (!all_known) return {UnknownType(inputs[0].type->dtype)};
  return {KnownType(kName, inputs[0].type->dtype, *std::move(joined))};
}

std::vector<Tensor> Concat::Evaluate(std::span<const Tensor> inputs) const {
  std::vector<Tensor> outputs = AllocateOutputs(*this, inputs);
  const Shape& shape = outputs[0].shape();
  const int64_t at = NormalizeAxis(kName, axis, outputs[0].rank());
  const std::vector<int64_t> strides = ContiguousStrides(shape);
  const int64_t elem_bytes = SizeOf(outputs[0].dtype());
  int64_t offset = 0;
  for (const Tensor& part : inputs) {
    CopyStrided(elem_bytes, part.shape(), outputs[0].raw() + offset * strides[at] * elem_bytes, strides, part.raw(),
                ContiguousStrides(part.shape()));
    offset += part.shape()[at];
  }
  return outputs;
}

std::vector<TensorType> Expand::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 2, 2);
  const DType dtype = inputs[0].type->dtype;
  const auto target = IntsOperand(kName, inputs, 1);
  if (!target || !KnownShape(inputs, 0)) return {UnknownType(dtype)};
  CheckTensorSize(kName, dtype, *target);
  return {KnownType(kName, dtype, BroadcastShapes(*KnownShape(inputs, 0), *target))};
}

std::vector<Tensor> Expand::Evaluate(std::span<const Tensor> inputs) const {
  std::vector<Tensor> outputs = AllocateOutputs(*this, inputs);
  const Tensor& x = inputs[0];
  const Shape& shape = outputs[0].shape();
  CopyStrided(SizeOf(x.dtype()), shape, outputs[0].raw(), ContiguousStrides(shape), x.raw(),
              BroadcastStrides(x.shape(), shape));
  return outputs;
}

}  // namespace tenon
