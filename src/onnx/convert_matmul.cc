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
  if (StaticShape(ctx, i).size() != 2)
    ThrowInvalid({.what = "Gemm: an operand is no matrix", .got = ToString(StaticShape(ctx, i))});
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

Values ConvertMatMulInteger(ConvertContext& ctx) {
  Value* a_zero = ctx.input(2);
  if (a_zero && a_zero->has_shape() &&
      a_zero->shape().size() == 1) {  // one per row; those of b lie along its rows already
    a_zero = EmitReshape(ctx, a_zero, {a_zero->shape()[0], 1});
  }
  Value* a = EmitCentred(ctx, ctx.input(0), a_zero);
  Value* b = EmitCentred(ctx, ctx.input(1), ctx.input(3));
  return {EmitCast(ctx, ctx.Emit(MatMul(), {a, b}), DType::kInt32)};
}

}  // namespace

ConverterList MatMulConverters() {
  return {{"MatMul", ConvertMatMul, 2},
          {"Gemm", ConvertGemm, 2},
          {"Einsum", ConvertEinsum},
          {"MatMulInteger", ConvertMatMulInteger, 2}};
}

}  // namespace tenon
