#include "ops/resize.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "ops/shape_rules.h"
#include "ops/strided.h"

namespace tenon {
namespace {

/// Present and not empty: before opset 13 an operand that isn't used is an empty tensor.
bool IsGiven(const Tensor& tensor) { return !tensor.is_null() && tensor.elems() > 0; }

std::vector<int64_t> ResizedAxes(const Resize& op, size_t rank) {
  std::vector<int64_t> axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  return op.axes.empty() ? axes : NormalizeAxes(Resize::kName, op.axes, static_cast<int64_t>(rank));
}

void CheckEntries(std::string_view what, const Tensor& tensor, size_t expected) {
  if (tensor.elems() != static_cast<int64_t>(expected)) {
    ThrowInvalid("Resize: {} {} for {} axes", tensor.elems(), what, expected);
  }
}

void ApplyScales(std::vector<ResizeAxis>& result, const std::vector<int64_t>& axes, const Tensor& scales) {
  CheckEntries("scales", scales, axes.size());
  for (size_t i = 0; i < axes.size(); ++i) {
    ResizeAxis& axis = result[axes[i]];
    axis.scale = scales.AsDouble(static_cast<int64_t>(i));
    // In FP32, as ONNX's shape inference and ONNX Runtime do: 3 * (5 / 3 in FP32) is 5 there, below 5 in FP64.
    const float out = static_cast<float>(axis.scale) * static_cast<float>(axis.in);
    if (!(axis.scale > 0) || !(out < static_cast<float>(kMaxTensorBytes)))
      ThrowInvalid("Resize: bad scale {}", axis.scale);
    axis.out = static_cast<int64_t>(out);
  }
}

void ApplySizes(std::vector<ResizeAxis>& result, const std::vector<int64_t>& axes, const Tensor& sizes,
                AspectRatioPolicy policy) {
  CheckEntries("sizes", sizes, axes.size());
  double smallest = std::numeric_limits<double>::infinity(), largest = 0;
  for (size_t i = 0; i < axes.size(); ++i) {
    ResizeAxis& axis = result[axes[i]];
    axis.out = sizes.AsInt(static_cast<int64_t>(i));
    if (axis.out < 0 || axis.out > kMaxTensorBytes) ThrowInvalid("Resize: bad size {}", axis.out);
    axis.scale = axis.in == 0 ? 1 : static_cast<double>(axis.out) / static_cast<double>(axis.in);
    smallest = std::min(smallest, axis.scale);
    largest = std::max(largest, axis.scale);
  }
  if (policy == AspectRatioPolicy::kStretch) return;
  for (const int64_t at : axes) {
    ResizeAxis& axis = result[at];
    axis.scale = policy == AspectRatioPolicy::kNotLarger ? smallest : largest;
    const double out = axis.scale * static_cast<double>(axis.in) + 0.5;
    if (!(out < static_cast<double>(kMaxTensorBytes))) ThrowInvalid("Resize: sizes are too large");
    axis.out = static_cast<int64_t>(out);
  }
}

void ApplyRoi(std::vector<ResizeAxis>& result, const std::vector<int64_t>& axes, const Tensor& roi) {
  if (!IsGiven(roi)) ThrowInvalid("Resize: tf_crop_and_resize needs roi");
  CheckEntries("entries of roi", roi, 2 * axes.size());
  for (size_t i = 0; i < axes.size(); ++i) {
    result[axes[i]].roi_start = roi.AsDouble(static_cast<int64_t>(i));
    result[axes[i]].roi_end = roi.AsDouble(static_cast<int64_t>(i + axes.size()));
  }
}

/// Nearest only chooses elements: one index table per axis, for any type.
Tensor EvaluateNearest(const Resize& op, const Tensor& x, const std::vector<ResizeAxis>& plan) {
  AxisMaps maps;
  for (const ResizeAxis& axis : plan) {
    std::vector<int64_t>& map = maps.emplace_back(static_cast<size_t>(axis.out));
    if (axis.IsIdentity()) {
      std::iota(map.begin(), map.end(), 0);
      continue;
    }
    const ResizeTaps taps = MakeResizeTaps(op, axis);
    for (size_t i = 0; i < map.size(); ++i) map[i] = taps.outside[i] ? kNoSource : taps.index[i];
  }
  return CopyMapped(x, maps, Tensor::Scalar(op.extrapolation_value).CastTo(x.dtype()));
}

/// The filter applied along one axis of an f64 tensor.
Tensor ApplyTaps(const Tensor& x, int64_t at, const ResizeTaps& taps, double extrapolation) {
  const AxisSplit split = SplitAtAxis(x.shape(), at);
  const auto out = static_cast<int64_t>(taps.outside.size());
  Shape shape = x.shape();
  shape[at] = out;
  Tensor y(DType::kFloat64, shape);
  double* to = y.data<double>();
  for (int64_t outer = 0; outer < split.outer; ++outer) {
    const double* slab = x.data<double>() + outer * split.size * split.inner;
    for (int64_t i = 0; i < out; ++i, to += split.inner) {
      if (taps.outside[i]) {
        std::fill(to, to + split.inner, extrapolation);
        continue;
      }
      for (int64_t t = i * taps.count; t < (i + 1) * taps.count; ++t) {
        if (taps.weight[t] == 0) continue;  // not read: a NaN there says nothing of this element
        const double* row = slab + taps.index[t] * split.inner;
        for (int64_t k = 0; k < split.inner; ++k) to[k] += taps.weight[t] * row[k];
      }
    }
  }
  return y;
}

/// To the type of the input; integers saturate, then truncate.
Tensor FromDouble(Tensor y, DType dtype) {
  if (!IsFloat(dtype)) {
    DispatchDType(dtype, [&]<class T>() {
      if constexpr (std::is_integral_v<T>) {
        const auto low = static_cast<double>(std::numeric_limits<T>::min()),
                   high = static_cast<double>(std::numeric_limits<T>::max());
        for (int64_t i = 0; i < y.elems(); ++i) y.data<double>()[i] = std::clamp(y.data<double>()[i], low, high);
      }
    });
  }
  return y.CastTo(dtype);
}

}  // namespace

void Resize::VisitAttrs(AttrVisitor& visitor) {
  visitor.Enum("mode", mode, kResizeModeNames);
  visitor.Enum("coordinates", coordinates, kResizeCoordinateNames);
  visitor.Enum("nearest", nearest, kNearestRoundingNames);
  visitor.Enum("policy", policy, kAspectRatioPolicyNames);
  visitor.Ints("axes", axes);
  visitor.Bool("antialias", antialias);
  visitor.Bool("exclude_outside", exclude_outside);
  visitor.Float("cubic_coeff_a", cubic_coeff_a);
  visitor.Float("extrapolation_value", extrapolation_value);
}

std::vector<ResizeAxis> ResolveResize(const Resize& op, const Shape& shape, const Tensor& roi, const Tensor& scales,
                                      const Tensor& sizes) {
  std::vector<ResizeAxis> result;
  for (const int64_t dim : shape) result.push_back({.in = dim, .out = dim});
  const std::vector<int64_t> axes = ResizedAxes(op, shape.size());
  if (IsGiven(scales) == IsGiven(sizes)) {
    if (IsGiven(scales)) ThrowInvalid("Resize: both scales and sizes are given");
    if (!axes.empty()) ThrowInvalid("Resize: neither scales nor sizes are given");
    return result;
  }
  if (IsGiven(scales))
    ApplyScales(result, axes, scales);
  else
    ApplySizes(result, axes, sizes, op.policy);
  if (op.coordinates == ResizeCoordinates::kTfCropAndResize) ApplyRoi(result, axes, roi);
  for (const ResizeAxis& axis : result) {
    if (axis.in == 0 && axis.out > 0) ThrowInvalid("Resize: an axis without elements can't grow");
  }
  return result;
}

std::vector<TensorType> Resize::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 1, 4);
  const DType dtype = inputs[0].type->dtype;
  if (antialias && mode == ResizeMode::kNearest) ThrowInvalid("Resize: antialias is not for nearest");
  if (dtype == DType::kBool && mode != ResizeMode::kNearest)
    ThrowInvalid("Resize: bool can only be resized by nearest");
  CheckFloat(kName, inputs, 1);
  CheckFloat(kName, inputs, 2);
  CheckDType(kName, inputs, 3, {DType::kInt64, DType::kInt32});
  std::vector<Tensor> operands(4);
  bool all_known = KnownShape(inputs, 0) != nullptr;
  for (size_t i = 1; i < inputs.size(); ++i) {
    if (IsAbsent(inputs, i)) continue;
    const bool is_empty = KnownShape(inputs, i) && ElemCount(*KnownShape(inputs, i)) == 0;
    if (inputs[i].value)
      operands[i] = *inputs[i].value;
    else if (!is_empty)
      all_known = false;
  }
  if (!all_known) return {UnknownType(dtype)};
  Shape shape;
  for (const ResizeAxis& axis : ResolveResize(*this, *KnownShape(inputs, 0), operands[1], operands[2], operands[3])) {
    shape.push_back(axis.out);
  }
  return {KnownType(kName, dtype, std::move(shape))};
}

std::vector<Tensor> Resize::Evaluate(std::span<const Tensor> inputs) const {
  const TensorType type = InferTensors(*this, inputs)[0];
  if (ElemCount(*type.shape) == 0) return {Tensor(type.dtype, *type.shape)};
  const Tensor& x = inputs[0];
  const auto plan =
      ResolveResize(*this, x.shape(), OperandOrNull(inputs, 1), OperandOrNull(inputs, 2), OperandOrNull(inputs, 3));
  if (mode == ResizeMode::kNearest) return {EvaluateNearest(*this, x, plan)};
  // Shrinking axes first: no tensor on the way is larger than the larger of input and output.
  std::vector<int64_t> order(plan.size());
  std::iota(order.begin(), order.end(), 0);
  const auto growth = [&](int64_t i) { return static_cast<double>(plan[i].out) / static_cast<double>(plan[i].in); };
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return growth(a) < growth(b); });
  Tensor y = x.CastTo(DType::kFloat64);
  for (const int64_t at : order) {
    if (plan[at].IsIdentity()) continue;
    y = ApplyTaps(y, at, MakeResizeTaps(*this, plan[at]), static_cast<double>(extrapolation_value));
  }
  return {FromDouble(y, x.dtype())};
}

}  // namespace tenon
