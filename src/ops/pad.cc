#include "ops/pad.h"

#include <algorithm>
#include <numeric>

#include "ops/shape_rules.h"
#include "ops/strided.h"

namespace tenon {
namespace {

/// The axes that an operand lists, or all.
std::vector<int64_t> AxesOrAll(std::string_view op, const std::vector<int64_t>& axes, size_t rank) {
  std::vector<int64_t> all(rank);
  std::iota(all.begin(), all.end(), 0);
  return axes.empty() ? all : NormalizeAxes(op, axes, static_cast<int64_t>(rank));
}

int64_t Mod(int64_t i, int64_t n) { return (i % n + n) % n; }

/// The element of an axis of `dim` that stands at `i`, which may be outside of it.
int64_t SourceIndex(PadMode mode, int64_t i, int64_t dim) {
  if (i >= 0 && i < dim) return i;
  switch (mode) {
    case PadMode::kConstant:
      return kNoSource;
    case PadMode::kEdge:
      return std::clamp<int64_t>(i, 0, dim - 1);
    case PadMode::kWrap:
      return Mod(i, dim);
    case PadMode::kReflect: {
      if (dim == 1) return 0;
      const int64_t period = 2 * (dim - 1), at = Mod(i, period);
      return at < dim ? at : period - at;
    }
  }
  return kNoSource;
}

Shape PaddedShape(const Shape& shape, const std::vector<PadRange>& ranges, PadMode mode) {
  Shape padded = shape;
  for (size_t i = 0; i < shape.size(); ++i) {
    padded[i] += ranges[i].before + ranges[i].after;
    if (padded[i] < 0) ThrowInvalid("Pad: {} elements can't be cropped by {}", shape[i], shape[i] - padded[i]);
    if (shape[i] == 0 && padded[i] > 0 && mode != PadMode::kConstant)
      ThrowInvalid("Pad: an empty axis has nothing to repeat");
  }
  return padded;
}

Shape CenteredShape(const CenterCropPad& op, const Shape& shape, const std::vector<int64_t>& sizes) {
  const std::vector<int64_t> axes = AxesOrAll(op.name(), op.axes, shape.size());
  if (sizes.size() != axes.size()) ThrowInvalid("CenterCropPad: {} sizes for {} axes", sizes.size(), axes.size());
  Shape result = shape;
  for (size_t i = 0; i < axes.size(); ++i) result[axes[i]] = sizes[i];
  return result;
}

}  // namespace

std::vector<PadRange> ResolvePads(const Shape& shape, const Tensor& pads, const Tensor& axes) {
  const std::vector<int64_t> listed = axes.is_null() ? std::vector<int64_t>{} : IntsOf(Pad::kName, axes);
  const bool none = !axes.is_null() && listed.empty();
  const std::vector<int64_t> along = none ? listed : AxesOrAll(Pad::kName, listed, shape.size());
  const std::vector<int64_t> amounts = IntsOf(Pad::kName, pads);
  if (amounts.size() != 2 * along.size()) ThrowInvalid("Pad: {} pads for {} axes", amounts.size(), along.size());
  for (const int64_t amount : amounts) {
    if (amount < -kMaxTensorBytes || amount > kMaxTensorBytes) ThrowInvalid("Pad: {} is too much", amount);
  }
  std::vector<PadRange> ranges(shape.size());
  for (size_t i = 0; i < along.size(); ++i) ranges[along[i]] = {amounts[i], amounts[i + along.size()]};
  return ranges;
}

void Pad::VisitAttrs(AttrVisitor& visitor) { visitor.Enum("mode", mode, kPadModeNames); }

std::vector<TensorType> Pad::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 2, 4);
  const DType dtype = inputs[0].type->dtype;
  bool all_known = IntsOperand(kName, inputs, 1).has_value() && KnownShape(inputs, 0);
  if (!IsAbsent(inputs, 2)) {
    CheckSameDType(kName, inputs, 2);
    const Shape* value = KnownShape(inputs, 2);
    if (value && ElemCount(*value) != 1) ThrowInvalid("Pad: the value has {} elements", ElemCount(*value));
  }
  if (!IsAbsent(inputs, 3)) all_known &= IntsOperand(kName, inputs, 3).has_value();
  if (!all_known) return {UnknownType(dtype)};
  const Shape& x = *KnownShape(inputs, 0);
  const auto ranges = ResolvePads(x, *inputs[1].value, IsAbsent(inputs, 3) ? Tensor() : *inputs[3].value);
  return {KnownType(kName, dtype, PaddedShape(x, ranges, mode))};
}

std::vector<Tensor> Pad::Evaluate(std::span<const Tensor> inputs) const {
  const Shape shape = *InferTensors(*this, inputs)[0].shape;
  const Tensor& x = inputs[0];
  const std::vector<PadRange> ranges = ResolvePads(x.shape(), inputs[1], OperandOrNull(inputs, 3));
  AxisMaps maps;
  for (size_t d = 0; d < shape.size(); ++d) {
    std::vector<int64_t>& map = maps.emplace_back(static_cast<size_t>(shape[d]));
    for (int64_t i = 0; i < shape[d]; ++i) map[i] = SourceIndex(mode, i - ranges[d].before, x.shape()[d]);
  }
  return {CopyMapped(x, maps, OperandOrNull(inputs, 2))};
}

std::vector<TensorType> Tile::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 2, 2);
  const DType dtype = inputs[0].type->dtype;
  const auto repeats = IntsOperand(kName, inputs, 1);
  const Shape* x = KnownShape(inputs, 0);
  if (!repeats || !x) return {UnknownType(dtype)};
  if (repeats->size() != x->size()) ThrowInvalid("Tile: {} repeats for rank {}", repeats->size(), x->size());
  Shape shape = *x;
  for (size_t i = 0; i < shape.size(); ++i) {
    if ((*repeats)[i] < 0 || __builtin_mul_overflow(shape[i], (*repeats)[i], &shape[i])) {
      ThrowInvalid("Tile: {} can't be repeated {} times", (*x)[i], (*repeats)[i]);
    }
  }
  return {KnownType(kName, dtype, std::move(shape))};
}

std::vector<Tensor> Tile::Evaluate(std::span<const Tensor> inputs) const {
  const Shape shape = *InferTensors(*this, inputs)[0].shape;
  AxisMaps maps;
  for (size_t d = 0; d < shape.size(); ++d) {
    std::vector<int64_t>& map = maps.emplace_back(static_cast<size_t>(shape[d]));
    for (int64_t i = 0; i < shape[d]; ++i) map[i] = i % inputs[0].shape()[d];
  }
  return {CopyMapped(inputs[0], maps, Tensor())};
}

void CenterCropPad::VisitAttrs(AttrVisitor& visitor) { visitor.Ints("axes", axes); }

std::vector<TensorType> CenterCropPad::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 2, 2);
  const DType dtype = inputs[0].type->dtype;
  const auto sizes = IntsOperand(kName, inputs, 1);
  if (!sizes || !KnownShape(inputs, 0)) return {UnknownType(dtype)};
  return {KnownType(kName, dtype, CenteredShape(*this, *KnownShape(inputs, 0), *sizes))};
}

std::vector<Tensor> CenterCropPad::Evaluate(std::span<const Tensor> inputs) const {
  const Shape shape = *InferTensors(*this, inputs)[0].shape;
  AxisMaps maps;
  for (size_t d = 0; d < shape.size(); ++d) {
    // Of an odd difference, the larger half is cropped or padded at the end.
    const int64_t dim = inputs[0].shape()[d];
    const int64_t first = dim >= shape[d] ? (dim - shape[d]) / 2 : -((shape[d] - dim) / 2);
    std::vector<int64_t>& map = maps.emplace_back(static_cast<size_t>(shape[d]));
    for (int64_t i = 0; i < shape[d]; ++i) map[i] = SourceIndex(PadMode::kConstant, first + i, dim);
  }
  return {CopyMapped(inputs[0], maps, Tensor())};
}

}  // namespace tenon
