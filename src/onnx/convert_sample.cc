#include "onnx/converter_list.h"
#include "onnx/enum_attr.h"
#include "ops/grid_sample.h"
#include "ops/roi_align.h"

namespace tenon {
namespace {

/// Opset 16 said bilinear and bicubic, opset 20 says linear and cubic.
GridMode GridModeAttr(ConvertContext& ctx) {
  const std::string text = ctx.String("mode", "linear");
  if (text == "bilinear") return GridMode::kLinear;
  if (text == "bicubic") return GridMode::kCubic;
  return EnumAttr<GridMode>(ctx, "mode", "linear", kGridModeNames);
}

std::vector<Value*> ConvertGridSample(ConvertContext& ctx) {
  GridSample op;
  op.mode = GridModeAttr(ctx);
  op.padding = EnumAttr<GridPadding>(ctx, "padding_mode", "zeros", kGridPaddingNames);
  op.align_corners = ctx.Int("align_corners", 0) != 0;
  return {ctx.Emit(op, {ctx.input(0), ctx.input(1)})};
}

std::vector<Value*> ConvertAffineGrid(ConvertContext& ctx) {
  AffineGrid op;
  op.align_corners = ctx.Int("align_corners", 0) != 0;
  return {ctx.Emit(op, {ctx.input(0), ctx.input(1)})};
}

std::vector<Value*> ConvertRoiAlign(ConvertContext& ctx) {
  static constexpr std::array<std::string_view, 2> kCoordinates = {"output_half_pixel", "half_pixel"};
  RoiAlign op;
  op.pooling = EnumAttr<RoiPooling>(ctx, "mode", "avg", kRoiPoolingNames);
  op.half_pixel =
      EnumAttr<int>(ctx, "coordinate_transformation_mode", kCoordinates[ctx.opset >= 16], kCoordinates) == 1;
  op.output_height = ctx.Int("output_height", 1);
  op.output_width = ctx.Int("output_width", 1);
  op.sampling_ratio = ctx.Int("sampling_ratio", 0);
  op.spatial_scale = ctx.Float("spatial_scale", 1);
  return {ctx.Emit(op, {ctx.input(0), ctx.input(1), ctx.input(2)})};
}

}  // namespace

ConverterList SampleConverters() {
  return {{"GridSample", ConvertGridSample, 2}, {"AffineGrid", ConvertAffineGrid, 2}, {"RoiAlign", ConvertRoiAlign, 3}};
}

}  // namespace tenon
