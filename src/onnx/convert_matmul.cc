#include "onnx/converter_list.h"
#include "onnx/emit.h"
#include "ops/einsum.h"
#include "ops/matmul.h"

namespace tenon {
namespace {

using Values = std::vector<Value*>;

/// Floats multiply in their own type; integers in double, which is exact to 2^53, and back.
Value* EmitMatMul(ConvertContext& ctx, Value* a, Value* b, Value* bias = nullptr) {
  const DType dtype = a->dtype();
  if (b->dtype() != dtype) ThrowInvalid("operands of {} and {}", ToString(dtype), ToString(b->dtype()));
  MatMul matmul;
  matmul.epilogue.compute = matmul.epilogue.out = IsFloat(dtype) ? dtype : DType::kFloat64;
  if (IsFloat(dtype)) return ctx.Emit(matmul, {a, b, bias});
  Value* product = ctx.Emit(matmul, {EmitCast(ctx, a, DType::kFloat64), EmitCast(ctx, b, DType::kFloat64)});
  return EmitCast(ctx, product, dtype);
}

Values ConvertMatMul(ConvertContext& ctx) { return {EmitMatMul(ctx, ctx.input(0), ctx.input(1))}; }

void CheckMatrix(const ConvertContext& ctx, size_t i) {
  if (StaticShape(ctx, i).size() != 2) ThrowInvalid({.what = "Gemm: an operand is no matrix", .got = ToString(StaticShape(ctx, i))});
}

Value* Scaled(ConvertContext& ctx, Value* x, float factor) {
  return factor == 1 ? x : EmitBinary(ctx, BinaryKind::kMul, x, EmitScalar(ctx, x->dtype(), factor));
}

/// C where it is one value per output column, as the bias operand wants it; else null.
Value* AsBias(ConvertContext& ctx, Value* c, int64_t columns) {
  if (!c->has_shape() || !IsFloat(c->dtype())) return nullptr;
  if (c->shape() == Shape{columns}) return c;
  return c->shape() == Shape{1, columns} ? EmitReshape(ctx, c, {columns}) : nullptr;
}

/// alpha * A' * B' + beta * C
Values ConvertGemm(ConvertContext& ctx) {
  CheckMatrix(ctx, 0);
  CheckMatrix(ctx, 1);
  Value* a = ctx.Int("transA", 0) != 0 ? EmitTranspose(ctx, ctx.input(0), {1, 0}) : ctx.input(0);
  Value* b = ctx.Int("transB", 0) != 0 ? EmitTranspose(ctx, ctx.input(1), {1, 0}) : ctx.input(1);
  const float alpha = ctx.Float("alpha", 1), beta = ctx.Float("beta", 1);
  // Constant weights take the factor at import; otherwise the product is the cheaper place.
  const bool scale_weights = b->is_constant() && IsFloat(b->dtype());
  if (scale_weights) b = Scaled(ctx, b, alpha);
  Value* c = ctx.input(2);
  if (!c || beta == 0) return {Scaled(ctx, EmitMatMul(ctx, a, b), scale_weights ? 1 : alpha)};
  c = Scaled(ctx, c, beta);
  Value* bias = scale_weights || alpha == 1 ? AsBias(ctx, c, b->shape()[1]) : nullptr;
  if (bias) return {EmitMatMul(ctx, a, b, bias)};
  return {EmitBinary(ctx, BinaryKind::kAdd, Scaled(ctx, EmitMatMul(ctx, a, b), scale_weights ? 1 : alpha), c)};
}

Values ConvertEinsum(ConvertContext& ctx) {
  Einsum einsum;
  einsum.equation = ctx.String("equation", "");
  return {ctx.Emit(einsum, ctx.inputs)};
}

/// x minus its zero point in double. A zero point per row (of a) or per column (of b) is a vector.
Value* Centred(ConvertContext& ctx, Value* x, Value* zero_point, bool per_row) {
  Value* wide = EmitCast(ctx, x, DType::kFloat64);
  if (!zero_point) return wide;
  const bool is_vector = zero_point->has_shape() && zero_point->shape().size() == 1 && zero_point->shape()[0] != 1;
  if (is_vector && per_row) zero_point = EmitReshape(ctx, zero_point, {zero_point->shape()[0], 1});
  return EmitBinary(ctx, BinaryKind::kSub, wide, EmitCast(ctx, zero_point, DType::kFloat64));
}

Values ConvertMatMulInteger(ConvertContext& ctx) {
  MatMul matmul;
  matmul.epilogue.compute = matmul.epilogue.out = DType::kFloat64;
  Value* a = Centred(ctx, ctx.input(0), ctx.input(2), true);
  Value* b = Centred(ctx, ctx.input(1), ctx.input(3), false);
  return {EmitCast(ctx, ctx.Emit(matmul, {a, b}), DType::kInt32)};
}

}  // namespace

ConverterList MatMulConverters() {
  return {{"MatMul", ConvertMatMul, 2}, {"Gemm", ConvertGemm, 2}, {"Einsum", ConvertEinsum}, {"MatMulInteger", ConvertMatMulInteger, 2}};
}

}  // namespace tenon
