#include "ops/pool.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/operands.h"
#include "ops/window.h"

namespace tenon {
namespace {

struct PoolSizes {
  std::array<int64_t, 3> in, out;
  std::array<WindowAxis, 3> window;
};

/// The input elements [begin, end) in steps of `dilation` that one output position sees along one axis, and how many
/// taps of the window lie within the padded input.
struct AxisTaps {
  int64_t begin, end, dilation, padded_count;
};

AxisTaps TapsAt(const WindowAxis& axis, int64_t in, int64_t position) {
  const int64_t start = position * axis.stride - axis.pad_begin;
  const auto count_below = [&](int64_t limit) {  // taps at start + i * dilation < limit
    return limit <= start ? 0 : std::min(axis.kernel, (limit - start - 1) / axis.dilation + 1);
  };
  const int64_t skipped = count_below(0), end = count_below(in);
  return {start + skipped * axis.dilation, start + end * axis.dilation, axis.dilation, count_below(in + axis.pad_end)};
}

struct Pooled {
  double value = 0;
  int64_t index = -1;  ///< within the plane, of the maximum
};

/// Calls f(element's index within the plane) for the elements that the three axes' taps select.
template <class F>
void ForEachTap(const PoolSizes& s, const std::array<AxisTaps, 3>& taps, F&& f) {
  for (int64_t d = taps[0].begin; d < taps[0].end; d += taps[0].dilation) {
    for (int64_t h = taps[1].begin; h < taps[1].end; h += taps[1].dilation) {
      for (int64_t w = taps[2].begin; w < taps[2].end; w += taps[2].dilation) f((d * s.in[1] + h) * s.in[2] + w);
    }
  }
}

Pooled PoolMax(const PoolSizes& s, const std::array<AxisTaps, 3>& taps, const double* plane) {
  Pooled best{-std::numeric_limits<double>::infinity(), -1};
  ForEachTap(s, taps, [&](int64_t i) {
    // NaN counts as the smallest, as in ONNX Runtime: the index is that of a number where there is one.
    const double value = std::isnan(plane[i]) ? -std::numeric_limits<double>::infinity() : plane[i];
    if (value > best.value || best.index < 0) best = {value, i};
  });
  return best;
}

double PoolAverage(const Pool& pool, const PoolSizes& s, const std::array<AxisTaps, 3>& taps, const double* plane) {
  double sum = 0;
  int64_t count = 0;
  ForEachTap(s, taps, [&](int64_t i) { sum += plane[i], ++count; });
  if (pool.count_include_pad) count = taps[0].padded_count * taps[1].padded_count * taps[2].padded_count;
  return count == 0 ? 0 : sum / static_cast<double>(count);
}

double PoolLp(const Pool& pool, const PoolSizes& s, const std::array<AxisTaps, 3>& taps, const double* plane) {
  const double p = static_cast<double>(pool.p);
  double sum = 0;
  ForEachTap(s, taps, [&](int64_t i) { sum += std::pow(std::abs(plane[i]), p); });
  return std::pow(sum, 1 / p);
}

Pooled PoolOne(const Pool& pool, const PoolSizes& s, const std::array<AxisTaps, 3>& taps, const double* plane) {
  switch (pool.kind) {
    case PoolKind::kMax:
      return PoolMax(s, taps, plane);
    case PoolKind::kAverage:
      return {PoolAverage(pool, s, taps, plane)};
    case PoolKind::kLp:
      return {PoolLp(pool, s, taps, plane)};
  }
  return {};
}

/// Index within a plane counted with the first spatial axis fastest (ONNX storage_order = 1).
int64_t ColumnMajor(const PoolSizes& s, int64_t index) {
  const int64_t w = index % s.in[2], h = index / s.in[2] % s.in[1], d = index / s.in[2] / s.in[1];
  return d + s.in[0] * (h + s.in[1] * w);
}

int64_t PoolOutput(const Pool& pool, int64_t in, const WindowAxis& axis) {
  const int64_t floored = WindowOutput(Pool::kName, in, axis);
  const int64_t room = in + axis.pad_begin + axis.pad_end - axis.extent();
  // Rounding up adds a window that sticks out, unless it would start past the input and its leading padding.
  return floored + (pool.ceil_mode && room % axis.stride != 0 && floored * axis.stride < in + axis.pad_begin ? 1 : 0);
}

void PoolPlane(const Pool& pool, const PoolSizes& s, const double* plane, int64_t plane_start, double* out,
               int64_t* indices) {
  std::array<AxisTaps, 3> taps;
  for (int64_t od = 0; od < s.out[0]; ++od) {
    taps[0] = TapsAt(s.window[0], s.in[0], od);
    for (int64_t oh = 0; oh < s.out[1]; ++oh) {
      taps[1] = TapsAt(s.window[1], s.in[1], oh);
      for (int64_t ow = 0; ow < s.out[2]; ++ow) {
        taps[2] = TapsAt(s.window[2], s.in[2], ow);
        const Pooled pooled = PoolOne(pool, s, taps, plane);
        *out++ = pooled.value;
        if (indices)
          *indices++ = pooled.index < 0
                           ? -1
                           : plane_start + (pool.column_major_indices ? ColumnMajor(s, pooled.index) : pooled.index);
      }
    }
  }
}

/// A chain's stages see windows of one size, on tensors of one size.
void CheckStages(const Pool& pool, const std::optional<Shape>& in, const std::optional<Shape>& out) {
  constexpr int64_t kMost = 16;
  if (pool.stages == 1) return;
  if (pool.stages < 1 || pool.stages > kMost) ThrowInvalid("Pool: {} stages, expected 1 to {}", pool.stages, kMost);
  const auto are_ones = [](const std::vector<int64_t>& values) {
    return std::all_of(values.begin(), values.end(), [](int64_t value) { return value == 1; });
  };
  if (pool.kind != PoolKind::kMax || !are_ones(pool.strides) || !are_ones(pool.dilations) || in != out)
    ThrowInvalid("Pool: {} stages, expected 1 of a pool that is no maximum or changes the size", pool.stages);
}

}  // namespace

Pool StageFromInput(const Pool& pool, int64_t stage) {
  Pool wide = pool;
  wide.stages = 1;
  for (int64_t& size : wide.kernel) size += stage * (size - 1);
  for (int64_t& pad : wide.pads) pad *= stage + 1;
  return wide;
}

void Pool::VisitAttrs(AttrVisitor& visitor) {
  visitor.Enum("kind", kind, kPoolNames);
  visitor.Ints("kernel", kernel);
  visitor.Ints("strides", strides);
  visitor.Ints("dilations", dilations);
  visitor.Ints("pads", pads);
  visitor.Bool("ceil_mode", ceil_mode);
  visitor.Bool("count_include_pad", count_include_pad);
  visitor.Bool("column_major_indices", column_major_indices);
  visitor.Int("p", p);
  visitor.Int("stages", stages);
}

std::vector<TensorType> Pool::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 1, 1);
  if (kind == PoolKind::kMax) {
    CheckDType(kName, inputs, 0,
               {DType::kFloat32, DType::kFloat16, DType::kBFloat16, DType::kFloat64, DType::kInt8, DType::kUInt8});
  } else {
    CheckFloat(kName, inputs, 0);
  }
  if (p < 1) ThrowInvalid("Pool: p is {}, expected 1 or more", p);
  const Window window = Window::Make(kName, kernel, strides, dilations, pads);
  std::vector<TensorType> outputs = {{inputs[0].type->dtype, std::nullopt}};
  if (const auto& x = inputs[0].type->shape) {
    CheckSpatialShape(kName, *x);
    if (x->size() != kernel.size() + 2)
      ThrowInvalid("Pool: a kernel of {} axes on an input of {}", kernel.size(), ToString(*x));
    Shape out = {x->at(0), x->at(1)};
    for (size_t i = 0; i < kernel.size(); ++i) out.push_back(PoolOutput(*this, x->at(i + 2), window.axes[i]));
    ElemCount(out);  // throws when it overflows
    outputs[0].shape = out;
  }
  if (kind == PoolKind::kMax) outputs.push_back({DType::kInt64, outputs[0].shape});
  CheckStages(*this, inputs[0].type->shape, outputs[0].shape);
  for (int64_t stage = 1; stage < stages; ++stage) outputs.push_back(outputs[0]);
  return outputs;
}

std::vector<Tensor> Pool::Evaluate(std::span<const Tensor> inputs) const {
  const Shape out = *InferTensors(*this, inputs)[0].shape;
  const Tensor x = inputs[0].CastTo(DType::kFloat64);
  const PoolSizes s{SpatialAs3D(x.shape()), SpatialAs3D(out),
                    Window::Make(kName, kernel, strides, dilations, pads).As3D()};
  const int64_t in_size = s.in[0] * s.in[1] * s.in[2], out_size = s.out[0] * s.out[1] * s.out[2];
  Tensor y(DType::kFloat64, out);
  Tensor indices = kind == PoolKind::kMax ? Tensor(DType::kInt64, out) : Tensor();
  for (int64_t plane = 0; y.elems() > 0 && plane < out[0] * out[1]; ++plane) {
    PoolPlane(*this, s, x.data<double>() + plane * in_size, plane * in_size, y.data<double>() + plane * out_size,
              indices.is_null() ? nullptr : indices.data<int64_t>() + plane * out_size);
  }
  std::vector<Tensor> outputs = {y.CastTo(inputs[0].dtype())};
  if (!indices.is_null()) outputs.push_back(indices);
  Pool next = *this;
  next.stages = 1;
  for (int64_t stage = 1; stage < stages; ++stage)
    outputs.push_back(next.Evaluate(std::array{stage == 1 ? outputs[0] : outputs.back()})[0]);
  return outputs;
}

Cost Pool::EstimateCost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const {
  Cost cost = Op::EstimateCost(inputs, outputs.first(std::min<size_t>(outputs.size(), 1)));
  for (const int64_t taps : kernel) cost.flops *= static_cast<double>(taps);
  if (stages > 1) cost.bytes += static_cast<double>(stages - 1) * Op::EstimateCost({}, outputs.first(1)).bytes;
  cost.flops *= static_cast<double>(stages);
  return cost;
}

}  // namespace tenon
