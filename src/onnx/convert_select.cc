#include "onnx/converter_list.h"
#include "ops/fill.h"
#include "ops/nms.h"
#include "ops/select.h"
#include "ops/top_k.h"

namespace tenon {
namespace {

std::vector<Value*> ConvertNonZero(ConvertContext& ctx) { return {ctx.Emit(NonZero{}, {ctx.input(0)})}; }

/// Compress and Unique: without an axis, of the flattened tensor.
template <class T>
T WithOptionalAxis(ConvertContext& ctx) {
  T op;
  op.flatten = !ctx.HasAttr("axis");
  op.axis = ctx.Int("axis", 0);
  return op;
}

std::vector<Value*> ConvertCompress(ConvertContext& ctx) {
  return {ctx.Emit(WithOptionalAxis<Compress>(ctx), {ctx.input(0), ctx.input(1)})};
}

std::vector<Value*> ConvertUnique(ConvertContext& ctx) {
  auto op = std::make_unique<Unique>(WithOptionalAxis<Unique>(ctx));
  op->sorted = ctx.Int("sorted", 1) != 0;
  return ctx.EmitNode(std::move(op), {ctx.input(0)})->outputs();
}

std::vector<Value*> ConvertTopK(ConvertContext& ctx) {
  auto op = std::make_unique<TopK>();
  op->axis = ctx.Int("axis", -1);
  op->largest = ctx.Int("largest", 1) != 0;
  Value* k = ctx.opset >= 10 ? ctx.input(1) : ctx.IntsConstant({ctx.Int("k", -1)});
  if (!k) ThrowInvalid("TopK: k is missing");
  return ctx.EmitNode(std::move(op), {ctx.input(0), k})->outputs();
}

std::vector<Value*> ConvertNonMaxSuppression(ConvertContext& ctx) {
  NonMaxSuppression op;
  op.center_point_box = ctx.Int("center_point_box", 0) != 0;
  return {ctx.Emit(op, ctx.inputs)};
}

std::vector<Value*> ConvertOneHot(ConvertContext& ctx) {
  OneHot op;
  op.axis = ctx.Int("axis", -1);
  return {ctx.Emit(op, {ctx.input(0), ctx.input(1), ctx.input(2)})};
}

std::vector<Value*> ConvertTrilu(ConvertContext& ctx) {
  Trilu op;
  op.upper = ctx.Int("upper", 1) != 0;
  return {ctx.Emit(op, {ctx.input(0), ctx.input(1)})};
}

std::vector<Value*> ConvertReverseSequence(ConvertContext& ctx) {
  ReverseSequence op;
  op.batch_axis = ctx.Int("batch_axis", 1);
  op.time_axis = ctx.Int("time_axis", 0);
  return {ctx.Emit(op, {ctx.input(0), ctx.input(1)})};
}

}  // namespace

ConverterList SelectConverters() {
  return {{"NonZero", ConvertNonZero},
          {"Compress", ConvertCompress, 2},
          {"Unique", ConvertUnique},
          {"TopK", ConvertTopK},
          {"NonMaxSuppression", ConvertNonMaxSuppression, 2},
          {"OneHot", ConvertOneHot, 3},
          {"Trilu", ConvertTrilu},
          {"ReverseSequence", ConvertReverseSequence, 2}};
}

}  // namespace tenon
