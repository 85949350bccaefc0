#include "onnx/auto_pad.h"
#include "onnx/converter_list.h"
#include "onnx/emit.h"
#include "ops/conv.h"
#include "ops/matmul.h"
#include "ops/quantize.h"

namespace tenon {
namespace {

using Values = std::vector<Value*>;

Value* EmitDequantize(ConvertContext& ctx, Value* x, Value* scale, Value* zero_point, int64_t axis) {
  DequantizeLinear op;
  op.axis = axis;
  return ctx.Emit(op, {x, EmitCast(ctx, scale, DType::kFloat32), zero_point});
}

Value* EmitQuantize(ConvertContext& ctx, Value* x, Value* scale, Value* zero_point) {
  QuantizeLinear op;
  op.to = zero_point->dtype();
  return ctx.Emit(op, {x, EmitCast(ctx, scale, DType::kFloat32), zero_point});
}

Values ConvertQuantizeLinear(ConvertContext& ctx) {
  QuantizeLinear op;
  const int64_t type = ctx.Int("output_dtype", 0);
  op.to = ctx.input(2) ? ctx.input(2)->dtype() : type != 0 ? DTypeAttr(ctx, type) : DType::kUInt8;
  op.axis = ctx.Int("axis", 1);
  op.block_size = ctx.Int("block_size", 0);
  if (op.to != DType::kInt8 && op.to != DType::kUInt8)
    ctx.Unsupported(fmt::format("quantisation to {}", ToString(op.to)));
  return {ctx.Emit(op, {ctx.input(0), ctx.input(1), ctx.input(2)})};
}

Values ConvertDequantizeLinear(ConvertContext& ctx) {
  DequantizeLinear op;
  const int64_t type = ctx.Int("output_dtype", 0);
  op.to = type != 0 ? DTypeAttr(ctx, type) : ctx.input(1)->dtype();
  op.axis = ctx.Int("axis", 1);
  op.block_size = ctx.Int("block_size", 0);
  return {ctx.Emit(op, {ctx.input(0), ctx.input(1), ctx.input(2)})};
}

/// As ONNX defines it: u8 over the range of x with 0, from primitive ops.
Values ConvertDynamicQuantizeLinear(ConvertContext& ctx) {
  Value* x = ctx.input(0);
  Value* zero = EmitScalar(ctx, x->dtype(), 0);
  const auto extreme = [&](ReduceKind kind, BinaryKind with_zero) {
    Reduce reduce;
    reduce.kind = kind;
    reduce.keep_dims = false;
    return EmitBinary(ctx, with_zero, ctx.Emit(reduce, {x}), zero);
  };
  Value* max = extreme(ReduceKind::kMax, BinaryKind::kMax);
  Value* min = extreme(ReduceKind::kMin, BinaryKind::kMin);
  Value* range = EmitBinary(ctx, BinaryKind::kSub, max, min);
  Value* scale = EmitBinary(ctx, BinaryKind::kDiv, range, EmitScalar(ctx, x->dtype(), 255));
  Value* lowest = EmitBinary(ctx, BinaryKind::kDiv, EmitUnary(ctx, UnaryKind::kNeg, min), scale);
  Value* rounded = EmitUnary(ctx, UnaryKind::kRound, EmitUnary(ctx, UnaryKind::kClip, lowest, 0, 255));
  Value* zero_point = EmitCast(ctx, rounded, DType::kUInt8);
  return {EmitQuantize(ctx, x, scale, zero_point), scale, zero_point};
}

// QLinearConv and QLinearMatMul become dequantise, float op, quantise: the one form that the compiler lowers to integer
// kernels, whoever wrote the model.

Values ConvertQLinearConv(ConvertContext& ctx) {
  const Shape& weights = StaticShape(ctx, 3);
  CheckSpatialShape(ctx.op_type(), weights);
  const WindowAttrs attrs = ReadWindow(ctx, {weights.begin() + 2, weights.end()});
  Conv conv;
  conv.strides = attrs.strides;
  conv.dilations = attrs.dilations;
  conv.pads = attrs.pads;
  conv.groups = ctx.Int("group", 1);
  Value* x = EmitDequantize(ctx, ctx.input(0), ctx.input(1), ctx.input(2), 1);
  Value* w = EmitDequantize(ctx, ctx.input(3), ctx.input(4), ctx.input(5), 0);
  Value* bias = ctx.input(8);
  if (bias) bias = EmitDequantize(ctx, bias, EmitBinary(ctx, BinaryKind::kMul, ctx.input(1), ctx.input(4)), nullptr, 0);
  return {EmitQuantize(ctx, ctx.Emit(conv, {x, w, bias}), ctx.input(6), ctx.input(7))};
}

Values ConvertQLinearMatMul(ConvertContext& ctx) {
  Value* a = EmitDequantize(ctx, ctx.input(0), ctx.input(1), ctx.input(2), -2);
  Value* b = EmitDequantize(ctx, ctx.input(3), ctx.input(4), ctx.input(5), -1);
  return {EmitQuantize(ctx, ctx.Emit(MatMul(), {a, b}), ctx.input(6), ctx.input(7))};
}

}  // namespace

ConverterList QuantizeConverters() {
  return {
      {"QuantizeLinear", ConvertQuantizeLinear, 2},
      {"DequantizeLinear", ConvertDequantizeLinear, 2},
      {"DynamicQuantizeLinear", ConvertDynamicQuantizeLinear},
      {"QLinearConv", ConvertQLinearConv, 8},
      {"QLinearMatMul", ConvertQLinearMatMul, 8},
  };
}

}  // namespace tenon
