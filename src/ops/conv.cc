#include "ops/conv.h"

#include <algorithm>
#include <cstring>

#include "ops/operands.h"
#include "ops/window.h"

namespace tenon {
namespace {

/// Shapes of one convolution, all spatial axes seen as depth, height, width.
struct ConvSizes {
  int64_t batch, groups, in_channels, out_channels;  ///< channels of one group
  std::array<int64_t, 3> in, out;
  std::array<WindowAxis, 3> window;
  int64_t in_size() const { return in[0] * in[1] * in[2]; }
  int64_t out_size() const { return out[0] * out[1] * out[2]; }
  int64_t taps() const { return window[0].kernel * window[1].kernel * window[2].kernel; }
};

/// out += weight * (the input plane moved by one tap of the window).
void AccumulateTap(const ConvSizes& s, const double* in, double weight, const std::array<int64_t, 3>& tap,
                   double* out) {
  std::array<int64_t, 3> offset;
  std::array<TapRange, 3> range;
  for (int i = 0; i < 3; ++i) {
    offset[i] = tap[i] * s.window[i].dilation - s.window[i].pad_begin;
    range[i] = ValidOutputs(offset[i], s.window[i].stride, s.in[i], s.out[i]);
  }
  const int64_t step = s.window[2].stride;
  for (int64_t od = range[0].begin; od < range[0].end; ++od) {
    const int64_t id = od * s.window[0].stride + offset[0];
    for (int64_t oh = range[1].begin; oh < range[1].end; ++oh) {
      const int64_t ih = oh * s.window[1].stride + offset[1];
      const double* row = in + (id * s.in[1] + ih) * s.in[2] + offset[2];
      double* sums = out + (od * s.out[1] + oh) * s.out[2];
      if (step == 1) {
        for (int64_t ow = range[2].begin; ow < range[2].end; ++ow) sums[ow] += weight * row[ow];
      } else {
        for (int64_t ow = range[2].begin; ow < range[2].end; ++ow) sums[ow] += weight * row[ow * step];
      }
    }
  }
}

/// One output plane: the sum over input channels and taps; `weights` are those of one output channel.
void AccumulatePlane(const ConvSizes& s, const double* in, const double* weights, double* out) {
  for (int64_t ic = 0; ic < s.in_channels; ++ic, in += s.in_size()) {
    for (int64_t kd = 0; kd < s.window[0].kernel; ++kd) {
      for (int64_t kh = 0; kh < s.window[1].kernel; ++kh) {
        for (int64_t kw = 0; kw < s.window[2].kernel; ++kw) AccumulateTap(s, in, *weights++, {kd, kh, kw}, out);
      }
    }
  }
}

Window ConvWindow(const Conv& conv, const Shape& weights) {
  CheckSpatialShape(Conv::kName, weights);
  return Window::Make(Conv::kName, {weights.begin() + 2, weights.end()}, conv.strides, conv.dilations, conv.pads);
}

Shape ConvOutput(const Conv& conv, const Shape& x, const Shape& weights) {
  CheckSpatialShape(Conv::kName, x);
  const Window window = ConvWindow(conv, weights);
  const bool fits = x.size() == weights.size() && conv.groups >= 1 && weights[0] % conv.groups == 0 &&
                    x[1] % conv.groups == 0 && x[1] / conv.groups == weights[1];
  if (!fits) {
    ThrowInvalid({.what = "Conv: input and weights don't fit",
                  .got = fmt::format("{} and {} with groups {}", ToString(x), ToString(weights), conv.groups),
                  .expected = "N x IC x ... and OC x IC/groups x ..."});
  }
  Shape out = {x[0], weights[0]};
  for (size_t i = 0; i < window.axes.size(); ++i) out.push_back(WindowOutput(Conv::kName, x[i + 2], window.axes[i]));
  ElemCount(out);  // throws when it overflows
  return out;
}

/// Each pixel of an NCHW tensor four times: y[n, c, h, w] = x[n, c, h / 2, w / 2].
Tensor RepeatPixels(const Tensor& x) {
  const int64_t height = 2 * x.shape()[2], width = 2 * x.shape()[3], size = SizeOf(x.dtype());
  Tensor y(x.dtype(), {x.shape()[0], x.shape()[1], height, width});
  std::byte* out = y.raw();
  for (int64_t row = 0; row < y.elems() / std::max<int64_t>(width, 1); ++row) {
    const std::byte* in = x.raw() + (row / height * (height / 2) + row % height / 2) * (width / 2) * size;
    for (int64_t column = 0; column < width; ++column, out += size)
      std::memcpy(out, in + column / 2 * size, static_cast<size_t>(size));
  }
  return y;
}

}  // namespace

void Conv::VisitAttrs(AttrVisitor& visitor) {
  visitor.Ints("strides", strides);
  visitor.Ints("dilations", dilations);
  visitor.Ints("pads", pads);
  visitor.Int("groups", groups);
  visitor.Int("upsample", upsample);
  epilogue.VisitAttrs(visitor);
}

std::vector<TensorType> Conv::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 2, 6);
  TensorType out{epilogue.out, std::nullopt};
  std::optional<int64_t> channels;
  if (inputs[1].type->shape) {
    ConvWindow(*this, *inputs[1].type->shape);
    channels = inputs[1].type->shape->at(0);
    if (inputs[0].type->shape) out.shape = ConvOutput(*this, *inputs[0].type->shape, *inputs[1].type->shape);
  }
  epilogue.CheckOperands(kName, inputs, channels, out.shape);
  if (upsample == 1) return {out};
  if (upsample != 2 || (out.shape && out.shape->size() != 4)) {
    ThrowInvalid({.what = "Conv: bad upsample", .got = std::to_string(upsample), .expected = "1, or 2 for images"});
  }
  TensorType upsampled = out;
  if (out.shape) upsampled.shape = Shape{(*out.shape)[0], (*out.shape)[1], 2 * (*out.shape)[2], 2 * (*out.shape)[3]};
  return {out, upsampled};
}

std::vector<Tensor> Conv::Evaluate(std::span<const Tensor> inputs) const {
  const Shape out = *InferTensors(*this, inputs)[0].shape;
  const Tensor x = epilogue.RoundX(inputs[0]);
  const Tensor weights = epilogue.RoundWeights(inputs[1]);
  const ConvSizes s{.batch = out[0],
                    .groups = groups,
                    .in_channels = weights.shape()[1],
                    .out_channels = out[1] / groups,
                    .in = SpatialAs3D(x.shape()),
                    .out = SpatialAs3D(out),
                    .window = ConvWindow(*this, weights.shape()).As3D()};
  Tensor sums(DType::kFloat64, out);
  double* plane = sums.data<double>();
  for (int64_t n = 0; n < s.batch && sums.elems() > 0; ++n) {
    for (int64_t oc = 0; oc < out[1]; ++oc, plane += s.out_size()) {
      const int64_t group = oc / s.out_channels;
      const double* in = x.data<double>() + (n * groups + group) * s.in_channels * s.in_size();
      AccumulatePlane(s, in, weights.data<double>() + oc * s.in_channels * s.taps(), plane);
    }
  }
  Tensor y = epilogue.Apply(sums, 1, inputs);
  if (upsample == 1) return {y};
  return {y, RepeatPixels(y)};
}

Cost Conv::EstimateCost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const {
  Cost cost = Op::EstimateCost(inputs, outputs);
  if (inputs.size() < 2 || outputs.empty() || !inputs[1].shape || !outputs[0].shape) return cost;
  const Shape& weights = *inputs[1].shape;
  if (weights[0] > 0)
    cost.flops =
        2.0 * static_cast<double>(ElemCount(*outputs[0].shape)) * static_cast<double>(ElemCount(weights) / weights[0]);
  return cost;
}

}  // namespace tenon
