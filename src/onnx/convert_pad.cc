#include "onnx/converter_list.h"
#include "onnx/enum_attr.h"
#include "ops/pad.h"

namespace tenon {
namespace {

std::vector<Value*> ConvertPad(ConvertContext& ctx) {
  Pad op;
  op.mode = EnumAttr<PadMode>(ctx, "mode", "constant", kPadModeNames);
  if (ctx.opset >= 11) {
    if (!ctx.input(1)) ThrowInvalid("Pad: pads are missing");
    return {ctx.Emit(op, {ctx.input(0), ctx.input(1), ctx.input(2), ctx.input(3)})};
  }
  Value* value = ctx.Constant(Tensor::Scalar(ctx.Float("value", 0)).CastTo(ctx.input(0)->dtype()));
  return {ctx.Emit(op, {ctx.input(0), ctx.IntsConstant(ctx.Ints("pads")), value})};
}

std::vector<Value*> ConvertTile(ConvertContext& ctx) { return {ctx.Emit(Tile{}, {ctx.input(0), ctx.input(1)})}; }

std::vector<Value*> ConvertCenterCropPad(ConvertContext& ctx) {
  CenterCropPad op;
  op.axes = ctx.Ints("axes");
  return {ctx.Emit(op, {ctx.input(0), ctx.input(1)})};
}

}  // namespace

ConverterList PadConverters() {
  return {{"Pad", ConvertPad}, {"Tile", ConvertTile, 2}, {"CenterCropPad", ConvertCenterCropPad, 2}};
}

}  // namespace tenon
