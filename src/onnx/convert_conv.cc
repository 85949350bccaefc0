#include "ops/conv.h"

#include <algorithm>

#include "onnx/auto_pad.h"
#include "onnx/converter_list.h"
#include "onnx/emit.h"

namespace tenon {
namespace {

using Values = std::vector<Value*>;

/// The kernel's size, from the weights; the attribute may repeat it.
std::vector<int64_t> KernelOf(const ConvertContext& ctx) {
  const Shape& weights = StaticShape(ctx, 1);
  CheckSpatialShape(ctx.op_type(), weights);
  const std::vector<int64_t> kernel(weights.begin() + 2, weights.end());
  if (const auto given = ctx.Ints("kernel_shape", kernel); !given.empty() && given != kernel) {
    ThrowInvalid(
        {.what = "kernel_shape contradicts the weights", .got = ToString(given), .expected = ToString(kernel)});
  }
  return kernel;
}

Epilogue PlainEpilogue(DType dtype) {
  Epilogue epilogue;
  epilogue.compute = epilogue.out = dtype;
  return epilogue;
}

Values ConvertConv(ConvertContext& ctx) {
  const WindowAttrs attrs = ReadWindow(ctx, KernelOf(ctx));
  Conv conv;
  conv.strides = attrs.strides;
  conv.dilations = attrs.dilations;
  conv.pads = attrs.pads;
  conv.groups = ctx.Int("group", 1);
  conv.epilogue = PlainEpilogue(ctx.input(0)->dtype());
  return {ctx.Emit(conv, {ctx.input(0), ctx.input(1), ctx.input(2)})};
}

Values ConvertConvInteger(ConvertContext& ctx) {
  const WindowAttrs attrs = ReadWindow(ctx, KernelOf(ctx));
  Conv conv;
  conv.strides = attrs.strides;
  conv.dilations = attrs.dilations;
  conv.pads = attrs.pads;
  conv.groups = ctx.Int("group", 1);
  Value* weight_zero = ctx.input(3);
  if (weight_zero && weight_zero->has_shape() && weight_zero->shape().size() == 1) {  // one per output channel
    Shape shape(StaticShape(ctx, 1).size(), 1);
    shape[0] = weight_zero->shape()[0];
    weight_zero = EmitReshape(ctx, weight_zero, shape);
  }
  Value* sums =
      ctx.Emit(conv, {EmitCentred(ctx, ctx.input(0), ctx.input(2)), EmitCentred(ctx, ctx.input(1), weight_zero)});
  return {EmitCast(ctx, sums, DType::kInt32)};
}

/// Pads so that axis i has `wanted` outputs; where the input is too short even without padding, output_padding.
void FitOutput(ConvTranspose& conv, size_t i, int64_t in, int64_t extent, int64_t wanted, OddPadding odd) {
  if (wanted < 0 || in > int64_t{1} << 31) ThrowInvalid("ConvTranspose: output size {} for input size {}", wanted, in);
  const int64_t total = conv.strides[i] * (in - 1) + conv.output_padding[i] + extent - wanted;
  if (total < 0) conv.output_padding[i] -= total;
  SplitPadding(std::max<int64_t>(total, 0), odd, i, conv.pads);
}

/// output_shape may list all dimensions or the spatial ones.
std::vector<int64_t> SpatialOutputShape(const ConvertContext& ctx, size_t rank) {
  std::vector<int64_t> shape = ctx.Ints("output_shape");
  if (shape.size() == rank + 2) shape.erase(shape.begin(), shape.begin() + 2);
  if (!shape.empty() && shape.size() != rank)
    ThrowInvalid("ConvTranspose: output_shape has {} values for {} axes", shape.size(), rank);
  return shape;
}

Values ConvertConvTranspose(ConvertContext& ctx) {
  const std::vector<int64_t> kernel = KernelOf(ctx);
  const size_t rank = kernel.size();
  const std::string auto_pad = ctx.String("auto_pad", "NOTSET");
  const bool is_same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  const WindowAttrs attrs = ReadWindow(ctx, kernel);
  ConvTranspose conv;
  conv.strides = attrs.strides;
  conv.dilations = attrs.dilations;
  conv.pads = attrs.pads;
  conv.output_padding = ctx.Ints("output_padding", std::vector<int64_t>(rank, 0));
  conv.groups = ctx.Int("group", 1);
  conv.epilogue = PlainEpilogue(ctx.input(0)->dtype());
  if (conv.output_padding.empty()) conv.output_padding.assign(rank, 0);
  const std::vector<int64_t> wanted = SpatialOutputShape(ctx, rank);
  if (is_same || !wanted.empty()) {
    const Shape& x = StaticShape(ctx, 0);
    if (x.size() != rank + 2 || conv.output_padding.size() != rank)
      ThrowInvalid("ConvTranspose: input or output_padding don't fit the weights");
    // ONNX gives the odd element to the end for SAME_UPPER alone.
    const OddPadding odd = auto_pad == "SAME_UPPER" ? OddPadding::kEnd : OddPadding::kBegin;
    for (size_t i = 0; i < rank; ++i) {
      const int64_t extent = conv.dilations[i] * (kernel[i] - 1) + 1;
      FitOutput(conv, i, x[i + 2], extent, wanted.empty() ? x[i + 2] * conv.strides[i] : wanted[i], odd);
    }
  }
  return {ctx.Emit(conv, {ctx.input(0), ctx.input(1), ctx.input(2)})};
}

}  // namespace

ConverterList ConvConverters() {
  return {{"Conv", ConvertConv, 2}, {"ConvTranspose", ConvertConvTranspose, 2}, {"ConvInteger", ConvertConvInteger, 2}};
}

}  // namespace tenon
