#include <algorithm>
#include <limits>
#include <numeric>

#include "ops/index.h"
#include "ops/shape_rules.h"
#include "ops/strided.h"

namespace tenon {
namespace {

constexpr int64_t kMaxSplitOutputs = 1 << 16;

/// One axis: start and end clamped, then the count.
SliceRange ResolveRange(int64_t dim, int64_t start, int64_t end, int64_t step) {
  if (step == 0) ThrowInvalid("Slice: a step is 0");
  if (dim == 0) return {};
  const int64_t low = step > 0 ? 0 : -1;
  const int64_t high = step > 0 ? dim : dim - 1;
  start = std::clamp<int64_t>(start < 0 ? start + dim : start, 0, high);  // not as NumPy: ONNX clamps to 0 always
  end = std::clamp(end < 0 ? end + dim : end, low, high);
  const int64_t span = step > 0 ? end - start : start - end;
  if (span <= 0) return {};
  // The magnitude in uint64: that of the most negative step doesn't fit int64.
  const uint64_t stride = step > 0 ? static_cast<uint64_t>(step) : -static_cast<uint64_t>(step);
  const int64_t count = static_cast<int64_t>((static_cast<uint64_t>(span) - 1) / stride) + 1;
  return {start, count > 1 ? step : 1, count};
}

/// Sizes of Split's outputs.
std::vector<int64_t> SplitSizes(int64_t dim, int64_t num_outputs, const std::optional<std::vector<int64_t>>& sizes) {
  if (!sizes) {
    const int64_t part = dim / num_outputs + (dim % num_outputs != 0);
    std::vector<int64_t> equal(static_cast<size_t>(num_outputs), part);
    equal.back() = dim - part * (num_outputs - 1);
    if (equal.back() < 0) ThrowInvalid("Split: {} elements don't split into {}", dim, num_outputs);
    return equal;
  }
  if (static_cast<int64_t>(sizes->size()) != num_outputs) {
    ThrowInvalid("Split: {} sizes for {} outputs", sizes->size(), num_outputs);
  }
  int64_t rest = dim;
  for (const int64_t size : *sizes) {
    if (size < 0 || size > rest) ThrowInvalid("Split: a part of {} where {} elements are left", size, rest);
    rest -= size;
  }
  if (rest != 0) ThrowInvalid("Split: {} of {} elements are in no part", rest, dim);
  return *sizes;
}

}  // namespace

std::vector<SliceRange> ResolveSlice(const Shape& shape, const Tensor& starts, const Tensor& ends, const Tensor& axes,
                                     const Tensor& steps) {
  const std::vector<int64_t> from = IntsOf(Slice::kName, starts), to = IntsOf(Slice::kName, ends);
  const auto rank = static_cast<int64_t>(shape.size());
  std::vector<int64_t> along(from.size());
  std::iota(along.begin(), along.end(), 0);
  if (!axes.is_null()) along = IntsOf(Slice::kName, axes);
  const std::vector<int64_t> by = steps.is_null() ? std::vector<int64_t>(from.size(), 1) : IntsOf(Slice::kName, steps);
  if (to.size() != from.size() || along.size() != from.size() || by.size() != from.size()) {
    ThrowInvalid("Slice: {} starts, {} ends, {} axes, {} steps", from.size(), to.size(), along.size(), by.size());
  }
  along = NormalizeAxes(Slice::kName, along, rank);
  std::vector<SliceRange> ranges;
  for (const int64_t dim : shape) ranges.push_back({0, 1, dim});
  for (size_t i = 0; i < along.size(); ++i) ranges[along[i]] = ResolveRange(shape[along[i]], from[i], to[i], by[i]);
  return ranges;
}

std::vector<TensorType> Slice::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 3, 5);
  const DType dtype = inputs[0].type->dtype;
  std::vector<Tensor> operands(5);
  bool all_known = KnownShape(inputs, 0) != nullptr;
  for (size_t i = 1; i < 5; ++i) {
    if (IsAbsent(inputs, i)) continue;
    all_known &= IntsOperand(kName, inputs, i).has_value();
    if (inputs[i].value) operands[i] = *inputs[i].value;
  }
  if (!all_known) return {UnknownType(dtype)};
  Shape shape;
  for (const SliceRange& range :
       ResolveSlice(*KnownShape(inputs, 0), operands[1], operands[2], operands[3], operands[4])) {
    shape.push_back(range.count);
  }
  return {KnownType(kName, dtype, std::move(shape))};
}

std::vector<Tensor> Slice::Evaluate(std::span<const Tensor> inputs) const {
  std::vector<Tensor> outputs = AllocateOutputs(*this, inputs);
  const Tensor& x = inputs[0];
  std::vector<int64_t> strides = ContiguousStrides(x.shape());
  const auto ranges = ResolveSlice(x.shape(), inputs[1], inputs[2], OperandOrNull(inputs, 3), OperandOrNull(inputs, 4));
  int64_t offset = 0;
  for (size_t i = 0; i < ranges.size(); ++i) {
    offset += ranges[i].start * strides[i];
    strides[i] *= ranges[i].step;
  }
  const int64_t elem_bytes = SizeOf(x.dtype());
  const Shape& shape = outputs[0].shape();
  CopyStrided(elem_bytes, shape, outputs[0].raw(), ContiguousStrides(shape), x.raw() + offset * elem_bytes, strides);
  return outputs;
}

void Split::VisitAttrs(AttrVisitor& visitor) {
  visitor.Int("axis", axis);
  visitor.Int("num_outputs", num_outputs);
}

std::vector<TensorType> Split::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 1, 2);
  if (num_outputs < 1 || num_outputs > kMaxSplitOutputs) ThrowInvalid("Split: bad number of outputs: {}", num_outputs);
  const DType dtype = inputs[0].type->dtype;
  const bool has_sizes = !IsAbsent(inputs, 1);
  const auto sizes = has_sizes ? IntsOperand(kName, inputs, 1) : std::nullopt;
  const Shape* x = KnownShape(inputs, 0);
  if (!x || (has_sizes && !sizes)) return std::vector<TensorType>(static_cast<size_t>(num_outputs), UnknownType(dtype));
  const int64_t at = NormalizeAxis(kName, axis, static_cast<int64_t>(x->size()));
  std::vector<TensorType> types;
  for (const int64_t size : SplitSizes((*x)[at], num_outputs, sizes)) {
    Shape shape = *x;
    shape[at] = size;
    types.push_back(KnownType(kName, dtype, std::move(shape)));
  }
  return types;
}

std::vector<Tensor> Split::Evaluate(std::span<const Tensor> inputs) const {
  std::vector<Tensor> outputs = AllocateOutputs(*this, inputs);
  const Tensor& x = inputs[0];
  const int64_t at = NormalizeAxis(kName, axis, x.rank());
  const std::vector<int64_t> strides = ContiguousStrides(x.shape());
  int64_t offset = 0;
  for (Tensor& part : outputs) {
    const std::byte* from = x.raw() + offset * strides[at] * SizeOf(x.dtype());
    CopyStrided(SizeOf(x.dtype()), part.shape(), part.raw(), ContiguousStrides(part.shape()), from, strides);
    offset += part.shape()[at];
  }
  return outputs;
}

}  // namespace tenon
