// Ops on 8-bit tensors (ONNX Runtime's QOperator form, and what its optimiser makes of Q/DQ): dequantise, float op,
// quantise. That is the one form that the compiler lowers to integer kernels, whoever wrote the model.
#include "onnx/auto_pad.h"
#include "onnx/converter_list.h"
#include "onnx/emit.h"
#include "ops/conv.h"
#include "ops/index.h"
#include "ops/matmul.h"
#include "ops/pool.h"
#include "ops/reduce.h"

namespace tenon {
namespace {

using Values = std::vector<Value*>;

/// The real numbers of operand i, whose scale and zero point follow.
Value* Real(ConvertContext& ctx, size_t i, int64_t axis = 1) {
  return EmitDequantize(ctx, ctx.input(i), ctx.input(i + 1), ctx.input(i + 2), axis);
}

/// `y` in 8 bits, with the scale in operand i and the zero point after it; the type of operand 0 where that is absent.
Values Stored(ConvertContext& ctx, Value* y, size_t i) {
  return {EmitQuantize(ctx, y, ctx.input(i), ctx.input(i + 1), ctx.input(0)->dtype())};
}

Values ConvertQLinearConv(ConvertContext& ctx) {
  const Shape& weights = StaticShape(ctx, 3);
  CheckSpatialShape(ctx.op_type(), weights);
  const WindowAttrs attrs = ReadWindow(ctx, {weights.begin() + 2, weights.end()});
  Conv conv;
  conv.strides = attrs.strides;
  conv.dilations = attrs.dilations;
  conv.pads = attrs.pads;
  conv.groups = ctx.Int("group", 1);
  Value* bias = ctx.input(8);
  if (bias) bias = EmitDequantize(ctx, bias, EmitBinary(ctx, BinaryKind::kMul, ctx.input(1), ctx.input(4)), nullptr, 0);
  return Stored(ctx, ctx.Emit(conv, {Real(ctx, 0), Real(ctx, 3, 0), bias}), 6);
}

Values ConvertQLinearMatMul(ConvertContext& ctx) {
  return Stored(ctx, ctx.Emit(MatMul(), {Real(ctx, 0, -2), Real(ctx, 3, -1)}), 6);
}

/// alpha * A' * B' + C, where C counts steps of alpha * a_scale * b_scale.
Values ConvertQGemm(ConvertContext& ctx) {
  for (const size_t i : {0, 3}) {
    if (StaticShape(ctx, i).size() != 2) ThrowInvalid({.what = "QGemm: an operand is no matrix"});
  }
  const auto factor = [&](size_t i, const char* attr) {
    const bool is_transposed = ctx.Int(attr, 0) != 0;
    Value* x = Real(ctx, i, i == 0 ? 0 : is_transposed ? 0 : 1);
    return is_transposed ? EmitTranspose(ctx, x, {1, 0}) : x;
  };
  Value* b = factor(3, "transB");
  Value* y = ctx.Emit(MatMul(), {factor(0, "transA"), b});
  const float alpha = ctx.Float("alpha", 1);
  if (alpha != 1) y = EmitBinary(ctx, BinaryKind::kMul, y, EmitScalar(ctx, DType::kFloat32, alpha));
  if (Value* c = ctx.input(6)) {
    Value* step = EmitBinary(ctx, BinaryKind::kMul, ctx.input(1), ctx.input(4));
    if (alpha != 1) step = EmitBinary(ctx, BinaryKind::kMul, step, EmitScalar(ctx, DType::kFloat32, alpha));
    y = EmitBinary(ctx, BinaryKind::kAdd, y,
                   EmitBinary(ctx, BinaryKind::kMul, EmitCast(ctx, c, DType::kFloat32), step));
  }
  if (!ctx.input(7)) return {y};
  return Stored(ctx, y, 7);
}

template <BinaryKind kind>
Values ConvertQLinearBinary(ConvertContext& ctx) {
  return Stored(ctx, EmitBinary(ctx, kind, Real(ctx, 0), Real(ctx, 3)), 6);
}

Values ConvertQLinearSigmoid(ConvertContext& ctx) {
  return Stored(ctx, EmitUnary(ctx, UnaryKind::kSigmoid, Real(ctx, 0)), 3);
}

Values ConvertQLinearLeakyRelu(ConvertContext& ctx) {
  return Stored(ctx, EmitUnary(ctx, UnaryKind::kLeakyRelu, Real(ctx, 0), ctx.Float("alpha", 0.01f)), 3);
}

Values ConvertQLinearSoftmax(ConvertContext& ctx) {
  Softmax op;
  op.axis = ctx.Int("axis", -1);
  // Before opset 13 Softmax runs over all axes from this one on.
  if (ctx.Int("opset", 13) < 13 && op.axis != -1 && op.axis != static_cast<int64_t>(StaticShape(ctx, 0).size()) - 1)
    ctx.Unsupported("opset before 13");
  return Stored(ctx, ctx.Emit(op, {Real(ctx, 0)}), 3);
}

/// Operands: scale and zero point of the result, then x, scale, zero point for each part.
Values ConvertQLinearConcat(ConvertContext& ctx) {
  Concat op;
  op.axis = ctx.Int("axis", 0);
  Values parts;
  for (size_t i = 2; i + 2 < ctx.inputs.size(); i += 3) {
    if (!ctx.input(i) || !ctx.input(i + 1)) ThrowInvalid("QLinearConcat: operand {} is missing", i);
    parts.push_back(Real(ctx, i));
  }
  if (parts.empty()) ThrowInvalid("QLinearConcat: no operands");
  return {EmitQuantize(ctx, ctx.Emit(op, parts), ctx.input(0), ctx.input(1), ctx.input(2)->dtype())};
}

void RefuseChannelsLast(const ConvertContext& ctx) {
  if (ctx.Int("channels_last", 0) != 0) ctx.Unsupported("channels_last");
}

Values ConvertQLinearAveragePool(ConvertContext& ctx) {
  RefuseChannelsLast(ctx);
  const WindowAttrs attrs = ReadWindow(ctx, ctx.Ints("kernel_shape"));
  Pool pool;
  pool.kind = PoolKind::kAverage;
  pool.kernel = attrs.kernel;
  pool.strides = attrs.strides;
  pool.dilations = attrs.dilations;
  pool.pads = attrs.pads;
  pool.ceil_mode = ctx.Int("ceil_mode", 0) != 0;
  pool.count_include_pad = ctx.Int("count_include_pad", 0) != 0;
  return Stored(ctx, ctx.Emit(pool, {Real(ctx, 0)}), 3);
}

Values ConvertQLinearGlobalAveragePool(ConvertContext& ctx) {
  RefuseChannelsLast(ctx);
  const std::vector<int64_t> axes = AxesFrom(2, static_cast<int64_t>(StaticShape(ctx, 0).size()));
  return Stored(ctx, EmitReduce(ctx, ReduceKind::kMean, Real(ctx, 0), axes), 3);
}

}  // namespace

ConverterList QLinearConverters() {
  return {{"QLinearConv", ConvertQLinearConv, 8}, {"QLinearMatMul", ConvertQLinearMatMul, 8}};
}

ConverterList MicrosoftQLinearConverters() {
  return {{"QGemm", ConvertQGemm, 6},
          {"QLinearAdd", ConvertQLinearBinary<BinaryKind::kAdd>, 7},
          {"QLinearMul", ConvertQLinearBinary<BinaryKind::kMul>, 7},
          {"QLinearSigmoid", ConvertQLinearSigmoid, 4},
          {"QLinearLeakyRelu", ConvertQLinearLeakyRelu, 4},
          {"QLinearSoftmax", ConvertQLinearSoftmax, 4},
          {"QLinearConcat", ConvertQLinearConcat, 4},
          {"QLinearAveragePool", ConvertQLinearAveragePool, 4},
          {"QLinearGlobalAveragePool", ConvertQLinearGlobalAveragePool, 4}};
}

}  // namespace tenon
