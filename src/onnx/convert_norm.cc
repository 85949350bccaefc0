#include "onnx/converter_list.h"
#include "onnx/emit.h"
#include "ops/index.h"
#include "ops/norm.h"

namespace tenon {
namespace {

using Values = std::vector<Value*>;

Values ConvertBatchNorm(ConvertContext& ctx) {
  if (ctx.Int("spatial", 1) != 1) ctx.Unsupported("spatial=0");
  if (ctx.Int("training_mode", 0) != 0 || (ctx.opset < 14 && ctx.output_count() > 1)) ctx.Unsupported("training mode");
  BatchNorm norm;
  norm.epsilon = ctx.Float("epsilon", 1e-5f);
  return {ctx.Emit(norm, {ctx.input(0), ctx.input(1), ctx.input(2), ctx.input(3), ctx.input(4)})};
}

int64_t Channels(const ConvertContext& ctx) {
  const Shape& x = StaticShape(ctx, 0);
  if (x.size() < 2) ThrowInvalid({.what = "wrong rank", .got = ToString(x), .expected = "N x C x ..."});
  return x[1];
}

Values ConvertInstanceNorm(ConvertContext& ctx) {
  GroupNorm norm;
  norm.groups = std::max<int64_t>(Channels(ctx), 1);
  norm.epsilon = ctx.Float("epsilon", 1e-5f);
  return {ctx.Emit(norm, {ctx.input(0), ctx.input(1), ctx.input(2)})};
}

/// Opset 18 had one scale and bias per group, opset 21 has them per channel.
Value* PerChannel(ConvertContext& ctx, Value* per_group, int64_t groups, int64_t channels) {
  if (groups == channels) return per_group;
  Value* column = EmitReshape(ctx, per_group, {groups, 1});
  Value* wide = ctx.Emit(Expand(), {column, ctx.IntsConstant({groups, channels / groups})});
  return EmitReshape(ctx, wide, {channels});
}

Values ConvertGroupNorm(ConvertContext& ctx) {
  const int64_t channels = Channels(ctx);
  GroupNorm norm;
  norm.groups = ctx.Int("num_groups", 0);
  norm.epsilon = ctx.Float("epsilon", 1e-5f);
  if (norm.groups < 1 || channels % norm.groups != 0)
    ThrowInvalid("num_groups {} for {} channels", norm.groups, channels);
  Value* scale = ctx.input(1);
  Value* bias = ctx.input(2);
  if (ctx.opset < 21) {
    scale = PerChannel(ctx, scale, norm.groups, channels);
    bias = PerChannel(ctx, bias, norm.groups, channels);
  }
  return {ctx.Emit(norm, {ctx.input(0), scale, bias})};
}

Values ConvertLayerNorm(ConvertContext& ctx) {
  LayerNorm norm;
  norm.axis = ctx.Int("axis", -1);
  norm.epsilon = ctx.Float("epsilon", 1e-5f);
  Node* node = ctx.EmitNode(std::make_unique<LayerNorm>(norm), {ctx.input(0), ctx.input(1), ctx.input(2)});
  return node->outputs();
}

/// x / norm, and 0 where the norm is 0.
Values ConvertLpNorm(ConvertContext& ctx) {
  const int64_t p = ctx.Int("p", 2);
  if (p != 1 && p != 2) ThrowInvalid("p is {}, expected 1 or 2", p);
  Value* x = ctx.input(0);
  Value* norm = EmitReduce(ctx, p == 1 ? ReduceKind::kL1 : ReduceKind::kL2, x, {ctx.Int("axis", -1)});
  Value* is_zero = EmitBinary(ctx, BinaryKind::kEqual, norm, EmitScalar(ctx, x->dtype(), 0));
  Value* divisor = ctx.Emit(Where(), {is_zero, EmitScalar(ctx, x->dtype(), 1), norm});
  return {EmitBinary(ctx, BinaryKind::kDiv, x, divisor)};
}

Values ConvertLrn(ConvertContext& ctx) {
  Lrn lrn;
  lrn.size = ctx.Int("size", 0);
  lrn.alpha = ctx.Float("alpha", 1e-4f);
  lrn.beta = ctx.Float("beta", 0.75f);
  lrn.bias = ctx.Float("bias", 1);
  return {ctx.Emit(lrn, {ctx.input(0)})};
}

/// (x - mean) / (standard deviation + 1e-9)
Values ConvertMeanVarianceNorm(ConvertContext& ctx) {
  const std::vector<int64_t> axes = ctx.Ints("axes", {0, 2, 3});
  Value* x = ctx.input(0);
  Value* centred = EmitBinary(ctx, BinaryKind::kSub, x, EmitReduce(ctx, ReduceKind::kMean, x, axes));
  Value* variance = EmitReduce(ctx, ReduceKind::kMean, EmitBinary(ctx, BinaryKind::kMul, centred, centred), axes);
  Value* deviation =
      EmitBinary(ctx, BinaryKind::kAdd, EmitUnary(ctx, UnaryKind::kSqrt, variance), EmitScalar(ctx, x->dtype(), 1e-9));
  return {EmitBinary(ctx, BinaryKind::kDiv, centred, deviation)};
}

/// x / sqrt(mean(x^2) + epsilon) * scale over the dimensions from `axis` on; FP32 inside for 16-bit types.
Values ConvertRmsNorm(ConvertContext& ctx) {
  const int64_t rank = static_cast<int64_t>(StaticShape(ctx, 0).size());
  const int64_t axis = ctx.Int("axis", -1);
  if (axis < -rank || axis >= rank) ThrowInvalid("axis {} is outside a tensor of rank {}", axis, rank);
  const DType dtype = ctx.input(0)->dtype();
  const DType compute = dtype == DType::kFloat64 ? dtype : DType::kFloat32;
  Value* x = EmitCast(ctx, ctx.input(0), compute);
  Value* square = EmitReduce(ctx, ReduceKind::kMean, EmitBinary(ctx, BinaryKind::kMul, x, x),
                             AxesFrom(axis < 0 ? axis + rank : axis, rank));
  Value* shifted = EmitBinary(ctx, BinaryKind::kAdd, square, EmitScalar(ctx, compute, ctx.Float("epsilon", 1e-5f)));
  Value* normal = EmitBinary(ctx, BinaryKind::kDiv, x, EmitUnary(ctx, UnaryKind::kSqrt, shifted));
  return {EmitBinary(ctx, BinaryKind::kMul, EmitCast(ctx, normal, dtype), EmitCast(ctx, ctx.input(1), dtype))};
}

}  // namespace

ConverterList NormConverters() {
  return {
      {"BatchNormalization", ConvertBatchNorm, 5},
      {"InstanceNormalization", ConvertInstanceNorm, 3},
      {"GroupNormalization", ConvertGroupNorm, 3},
      {"LayerNormalization", ConvertLayerNorm, 2},
      {"LpNormalization", ConvertLpNorm},
      {"LRN", ConvertLrn},
      {"MeanVarianceNormalization", ConvertMeanVarianceNorm},
      {"RMSNormalization", ConvertRmsNorm, 2},
  };
}

}  // namespace tenon
