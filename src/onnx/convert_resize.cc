#include <algorithm>

#include "onnx/converter_list.h"
#include "onnx/enum_attr.h"
#include "ops/resize.h"

namespace tenon {
namespace {

ResizeMode ModeAttr(ConvertContext& ctx) {
  // Upsample had "bilinear" once.
  if (ctx.String("mode", "nearest") == "bilinear") return ResizeMode::kLinear;
  return EnumAttr<ResizeMode>(ctx, "mode", "nearest", kResizeModeNames);
}

/// Upsample and Resize-10: coordinates are divided by the scale. The rounding of nearest is ONNX Runtime's (the
/// specification names none): down where an axis grows, up where it shrinks.
Value* EmitLegacy(ConvertContext& ctx, Value* scales) {
  Resize op;
  op.mode = ModeAttr(ctx);
  op.coordinates = ResizeCoordinates::kAsymmetric;
  op.nearest = NearestRounding::kFloor;
  if (scales->is_constant() && op.mode == ResizeMode::kNearest) {
    const Tensor factors = scales->constant().CastTo(DType::kFloat32);
    const auto values = factors.values<float>();
    const bool shrinks = std::any_of(values.begin(), values.end(), [](float s) { return s < 1; });
    if (shrinks && std::any_of(values.begin(), values.end(), [](float s) { return s > 1; })) {
      ctx.Unsupported("one axis shrinks and another grows");
    }
    if (shrinks) op.nearest = NearestRounding::kCeil;
  }
  return ctx.Emit(op, {ctx.input(0), nullptr, scales});
}

std::vector<Value*> ConvertUpsample(ConvertContext& ctx) {
  if (ctx.opset >= 9) {
    if (!ctx.input(1)) ThrowInvalid("Upsample: scales are missing");
    return {EmitLegacy(ctx, ctx.input(1))};
  }
  const std::vector<float> scales = ctx.Floats("scales");
  return {EmitLegacy(ctx, ctx.Constant(Tensor::Of<float>({static_cast<int64_t>(scales.size())}, scales)))};
}

std::vector<Value*> ConvertResize(ConvertContext& ctx) {
  if (ctx.opset < 11) {
    if (!ctx.input(1)) ThrowInvalid("Resize: scales are missing");
    return {EmitLegacy(ctx, ctx.input(1))};
  }
  Resize op;
  op.mode = ModeAttr(ctx);
  op.coordinates =
      EnumAttr<ResizeCoordinates>(ctx, "coordinate_transformation_mode", "half_pixel", kResizeCoordinateNames);
  op.nearest = EnumAttr<NearestRounding>(ctx, "nearest_mode", "round_prefer_floor", kNearestRoundingNames);
  op.policy = EnumAttr<AspectRatioPolicy>(ctx, "keep_aspect_ratio_policy", "stretch", kAspectRatioPolicyNames);
  op.axes = ctx.Ints("axes");
  op.antialias = ctx.Int("antialias", 0) != 0;
  op.exclude_outside = ctx.Int("exclude_outside", 0) != 0;
  op.cubic_coeff_a = ctx.Float("cubic_coeff_a", -0.75f);
  op.extrapolation_value = ctx.Float("extrapolation_value", 0);
  // Operands that aren't used are absent, or (before opset 13) empty.
  const auto given = [&](size_t i) {
    Value* value = ctx.input(i);
    return value && value->has_shape() && ElemCount(value->shape()) == 0 ? nullptr : value;
  };
  Value* roi = op.coordinates == ResizeCoordinates::kTfCropAndResize ? given(1) : nullptr;
  return {ctx.Emit(op, {ctx.input(0), roi, given(2), given(3)})};
}

}  // namespace

ConverterList ResizeConverters() { return {{"Upsample", ConvertUpsample}, {"Resize", ConvertResize}}; }

}  // namespace tenon
