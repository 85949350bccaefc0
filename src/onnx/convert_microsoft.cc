// Ops of domain com.microsoft, which ONNX Runtime's optimiser writes into models that it saves.
#include "onnx/converter_list.h"
#include "onnx/emit.h"
#include "ops/matmul.h"

namespace tenon {
namespace {

std::vector<Value*> ConvertGelu(ConvertContext& ctx) { return {EmitUnary(ctx, UnaryKind::kGeluErf, ctx.input(0))}; }

std::vector<Value*> ConvertBiasGelu(ConvertContext& ctx) {
  return {EmitUnary(ctx, UnaryKind::kGeluErf, EmitBinary(ctx, BinaryKind::kAdd, ctx.input(0), ctx.input(1)))};
}

/// x * sigmoid(alpha * x)
std::vector<Value*> ConvertQuickGelu(ConvertContext& ctx) {
  Value* x = ctx.input(0);
  const float alpha = ctx.Float("alpha", 1.702f);
  if (alpha == 1.0f) return {EmitUnary(ctx, UnaryKind::kSilu, x)};
  Value* scaled = EmitBinary(ctx, BinaryKind::kMul, x, EmitScalar(ctx, x->dtype(), alpha));
  return {EmitBinary(ctx, BinaryKind::kMul, x, EmitUnary(ctx, UnaryKind::kSigmoid, scaled))};
}

Value* TransposeLastTwo(ConvertContext& ctx, size_t i) {
  std::vector<int64_t> perm = AxesFrom(0, static_cast<int64_t>(StaticShape(ctx, i).size()));
  if (perm.size() < 2) ThrowInvalid("operand {} is no matrix", i);
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return EmitTranspose(ctx, ctx.input(i), std::move(perm));
}

/// alpha * op(a) op(b)
std::vector<Value*> ConvertFusedMatMul(ConvertContext& ctx) {
  if (ctx.Int("transBatchA", 0) != 0 || ctx.Int("transBatchB", 0) != 0) ctx.Unsupported("transBatchA, transBatchB");
  Value* a = ctx.Int("transA", 0) != 0 ? TransposeLastTwo(ctx, 0) : ctx.input(0);
  Value* b = ctx.Int("transB", 0) != 0 ? TransposeLastTwo(ctx, 1) : ctx.input(1);
  MatMul op;
  op.epilogue.compute = op.epilogue.out = a->dtype();
  Value* product = ctx.Emit(op, {a, b});
  const float alpha = ctx.Float("alpha", 1);
  if (alpha == 1.0f) return {product};
  return {EmitBinary(ctx, BinaryKind::kMul, product, EmitScalar(ctx, product->dtype(), alpha))};
}

}  // namespace

ConverterList MicrosoftConverters() {
  return {{"Gelu", ConvertGelu},
          {"BiasGelu", ConvertBiasGelu, 2},
          {"QuickGelu", ConvertQuickGelu},
          {"FusedMatMul", ConvertFusedMatMul, 2}};
}

}  // namespace tenon
