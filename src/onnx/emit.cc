#include "onnx/emit.h"

#include <limits>

#include "onnx/tensor_proto.h"
#include "ops/index.h"
#include "ops/quantize.h"

namespace tenon {

Value* EmitScalar(ConvertContext& ctx, DType dtype, double value) {
  return ctx.Constant(Tensor::Scalar(value).CastTo(dtype));
}

Value* EmitUnary(ConvertContext& ctx, UnaryKind kind, Value* x, float alpha, float beta) {
  Unary op;
  op.kind = kind;
  op.alpha = alpha;
  op.beta = beta;
  return ctx.Emit(op, {x});
}

Value* EmitBinary(ConvertContext& ctx, BinaryKind kind, Value* a, Value* b) {
  Binary op;
  op.kind = kind;
  return ctx.Emit(op, {a, b});
}

Value* EmitReduce(ConvertContext& ctx, ReduceKind kind, Value* x, const std::vector<int64_t>& axes) {
  Reduce op;
  op.kind = kind;
  op.noop_with_empty_axes = true;
  return ctx.Emit(op, {x, ctx.IntsConstant(axes)});
}

Value* EmitCast(ConvertContext& ctx, Value* x, DType to) {
  if (x->dtype() == to) return x;
  Cast op;
  op.to = to;
  return ctx.Emit(op, {x});
}

Value* EmitCentred(ConvertContext& ctx, Value* x, Value* zero_point) {
  Value* wide = EmitCast(ctx, x, DType::kFloat32);
  return zero_point ? EmitBinary(ctx, BinaryKind::kSub, wide, EmitCast(ctx, zero_point, DType::kFloat32)) : wide;
}

Value* EmitZeroPoint(ConvertContext& ctx, Value* zero_point, const Value* scale) {
  if (!zero_point || !zero_point->has_shape() || !scale->has_shape() || zero_point->shape() == scale->shape())
    return zero_point;
  const bool are_scalars = ElemCount(zero_point->shape()) == 1 && ElemCount(scale->shape()) == 1;
  return are_scalars ? EmitReshape(ctx, zero_point, scale->shape()) : zero_point;
}

Value* EmitDequantize(ConvertContext& ctx, Value* x, Value* scale, Value* zero_point, int64_t axis) {
  DequantizeLinear op;
  op.axis = axis;
  return ctx.Emit(op, {x, EmitCast(ctx, scale, DType::kFloat32), EmitZeroPoint(ctx, zero_point, scale)});
}

Value* EmitQuantize(ConvertContext& ctx, Value* x, Value* scale, Value* zero_point, DType to) {
  QuantizeLinear op;
  op.to = zero_point ? zero_point->dtype() : to;
  return ctx.Emit(op, {x, EmitCast(ctx, scale, DType::kFloat32), EmitZeroPoint(ctx, zero_point, scale)});
}

Value* EmitReshape(ConvertContext& ctx, Value* x, const Shape& shape) {
  Reshape op;
  op.allow_zero = true;
  return ctx.Emit(op, {x, ctx.IntsConstant(shape)});
}

Value* EmitTranspose(ConvertContext& ctx, Value* x, std::vector<int64_t> perm) {
  Transpose op;
  op.perm = std::move(perm);
  return ctx.Emit(std::move(op), {x});
}

const Shape& StaticShape(const ConvertContext& ctx, size_t i) {
  const Value* value = ctx.input(i);
  if (!value || !value->has_shape()) ctx.Unsupported(fmt::format("the shape of operand {} depends on data", i));
  return value->shape();
}

std::vector<int64_t> AxesFrom(int64_t first, int64_t rank) {
  std::vector<int64_t> axes;
  for (int64_t i = first; i < rank; ++i) axes.push_back(i);
  return axes;
}

DType DTypeAttr(const ConvertContext& ctx, int64_t onnx_type) {
  const bool in_range = onnx_type >= 0 && onnx_type <= std::numeric_limits<int>::max();
  const auto dtype = in_range ? DTypeFromOnnx(static_cast<int>(onnx_type)) : std::nullopt;
  if (!dtype) ctx.Unsupported(fmt::format("ONNX type {}", onnx_type));
  return *dtype;
}

}  // namespace tenon
