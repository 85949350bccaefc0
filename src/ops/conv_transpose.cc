#include "ops/conv.h"
#include "ops/operands.h"
#include "ops/window.h"

namespace tenon {
namespace {

struct TransposeSizes {
  std::array<int64_t, 3> in, out;
  std::array<WindowAxis, 3> window;
};

/// Scatters one input plane through one tap: out[i * stride + tap] += weight * in[i].
void ScatterTap(const TransposeSizes& s, const double* in, double weight, const std::array<int64_t, 3>& tap,
                double* out) {
  std::array<int64_t, 3> offset;
  std::array<TapRange, 3> range;
  for (int i = 0; i < 3; ++i) {
    offset[i] = tap[i] * s.window[i].dilation - s.window[i].pad_begin;
    range[i] = ValidOutputs(offset[i], s.window[i].stride, s.out[i], s.in[i]);
  }
  const int64_t step = s.window[2].stride;
  for (int64_t id = range[0].begin; id < range[0].end; ++id) {
    const int64_t od = id * s.window[0].stride + offset[0];
    for (int64_t ih = range[1].begin; ih < range[1].end; ++ih) {
      const int64_t oh = ih * s.window[1].stride + offset[1];
      const double* row = in + (id * s.in[1] + ih) * s.in[2];
      double* sums = out + (od * s.out[1] + oh) * s.out[2] + offset[2];
      for (int64_t iw = range[2].begin; iw < range[2].end; ++iw) sums[iw * step] += weight * row[iw];
    }
  }
}

void ScatterPlane(const TransposeSizes& s, const double* in, const double* weights, double* out) {
  for (int64_t kd = 0; kd < s.window[0].kernel; ++kd) {
    for (int64_t kh = 0; kh < s.window[1].kernel; ++kh) {
      for (int64_t kw = 0; kw < s.window[2].kernel; ++kw) ScatterTap(s, in, *weights++, {kd, kh, kw}, out);
    }
  }
}

Window TransposeWindow(const ConvTranspose& conv, const Shape& weights) {
  CheckSpatialShape(ConvTranspose::kName, weights);
  return Window::Make(ConvTranspose::kName, {weights.begin() + 2, weights.end()}, conv.strides, conv.dilations,
                      conv.pads);
}

int64_t TransposeDim(int64_t in, const WindowAxis& axis, int64_t output_padding) {
  if (output_padding < 0 || output_padding > int64_t{1} << 24)
    ThrowInvalid("ConvTranspose: output_padding {}", output_padding);
  if (in > int64_t{1} << 31) ThrowInvalid("ConvTranspose: dimension {} is too large", in);
  const int64_t out =
      in == 0 ? 0 : axis.stride * (in - 1) + axis.extent() + output_padding - axis.pad_begin - axis.pad_end;
  if (in > 0 && out < 1) ThrowInvalid("ConvTranspose: padding leaves an output of {}", out);
  return out;
}

Shape TransposeOutput(const ConvTranspose& conv, const Shape& x, const Shape& weights) {
  CheckSpatialShape(ConvTranspose::kName, x);
  const Window window = TransposeWindow(conv, weights);
  int64_t channels = 0;
  const bool fits = x.size() == weights.size() && conv.groups >= 1 && x[1] == weights[0] && x[1] % conv.groups == 0 &&
                    !__builtin_mul_overflow(weights[1], conv.groups, &channels) &&
                    (conv.output_padding.empty() || conv.output_padding.size() == window.axes.size());
  if (!fits) {
    ThrowInvalid({.what = "ConvTranspose: input, weights and output_padding don't fit",
                  .got = fmt::format("{} and {} with groups {}", ToString(x), ToString(weights), conv.groups),
                  .expected = "N x IC x ... and IC x OC/groups x ..."});
  }
  Shape out = {x[0], channels};
  for (size_t i = 0; i < window.axes.size(); ++i) {
    out.push_back(TransposeDim(x[i + 2], window.axes[i], conv.output_padding.empty() ? 0 : conv.output_padding[i]));
  }
  ElemCount(out);  // throws when it overflows
  return out;
}

}  // namespace

void ConvTranspose::VisitAttrs(AttrVisitor& visitor) {
  visitor.Ints("strides", strides);
  visitor.Ints("dilations", dilations);
  visitor.Ints("pads", pads);
  visitor.Ints("output_padding", output_padding);
  visitor.Int("groups", groups);
  epilogue.VisitAttrs(visitor);
}

std::vector<TensorType> ConvTranspose::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 2, 4);
  if (epilogue.is_int8()) ThrowInvalid("ConvTranspose: compute=i8 is not there");
  TensorType out{epilogue.out, std::nullopt};
  std::optional<int64_t> channels;
  if (inputs[1].type->shape) TransposeWindow(*this, *inputs[1].type->shape);
  if (inputs[1].type->shape && inputs[0].type->shape) {
    out.shape = TransposeOutput(*this, *inputs[0].type->shape, *inputs[1].type->shape);
    channels = out.shape->at(1);
  }
  epilogue.CheckOperands(kName, inputs, channels, out.shape);
  return {out};
}

std::vector<Tensor> ConvTranspose::Evaluate(std::span<const Tensor> inputs) const {
  const Shape out = *InferTensors(*this, inputs)[0].shape;
  const Tensor x = epilogue.RoundX(inputs[0]);
  const Tensor weights = epilogue.RoundWeights(inputs[1]);
  const TransposeSizes s{
      .in = SpatialAs3D(x.shape()), .out = SpatialAs3D(out), .window = TransposeWindow(*this, weights.shape()).As3D()};
  const int64_t in_size = s.in[0] * s.in[1] * s.in[2], out_size = s.out[0] * s.out[1] * s.out[2];
  const int64_t taps = s.window[0].kernel * s.window[1].kernel * s.window[2].kernel;
  const int64_t in_channels = x.shape()[1], group_in = in_channels / groups, group_out = weights.shape()[1];
  Tensor sums(DType::kFloat64, out);
  for (int64_t n = 0; n < out[0] && sums.elems() > 0; ++n) {
    for (int64_t ic = 0; ic < in_channels; ++ic) {
      const double* in = x.data<double>() + (n * in_channels + ic) * in_size;
      for (int64_t oc = 0; oc < group_out; ++oc) {
        const int64_t plane = n * out[1] + ic / group_in * group_out + oc;
        ScatterPlane(s, in, weights.data<double>() + (ic * group_out + oc) * taps,
                     sums.data<double>() + plane * out_size);
      }
    }
  }
  return {epilogue.Apply(sums, 1, inputs)};
}

Cost ConvTranspose::EstimateCost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const {
  Cost cost = Op::EstimateCost(inputs, outputs);
  if (inputs.size() < 2 || !inputs[0].shape || !inputs[1].shape) return cost;
  const Shape& weights = *inputs[1].shape;
  // Every input element meets OC/groups x taps weights.
  if (weights[0] > 0)
    cost.flops =
        2.0 * static_cast<double>(ElemCount(*inputs[0].shape)) * static_cast<double>(ElemCount(weights) / weights[0]);
  return cost;
}

}  // namespace tenon
