#include "onnx/auto_pad.h"
#include "onnx/converter_list.h"
#include "onnx/emit.h"
#include "ops/pool.h"

namespace tenon {
namespace {

using Values = std::vector<Value*>;

Pool ReadPool(const ConvertContext& ctx, PoolKind kind) {
  const WindowAttrs attrs = ReadWindow(ctx, ctx.Ints("kernel_shape"));
  Pool pool;
  pool.kind = kind;
  pool.kernel = attrs.kernel;
  pool.strides = attrs.strides;
  pool.dilations = attrs.dilations;
  pool.pads = attrs.pads;
  pool.ceil_mode = ctx.Int("ceil_mode", 0) != 0;
  return pool;
}

Values ConvertMaxPool(ConvertContext& ctx) {
  Pool pool = ReadPool(ctx, PoolKind::kMax);
  pool.column_major_indices = ctx.Int("storage_order", 0) != 0;
  Node* node = ctx.EmitNode(std::make_unique<Pool>(pool), {ctx.input(0)});
  return {node->output(0), node->output(1)};
}

Values ConvertAveragePool(ConvertContext& ctx) {
  Pool pool = ReadPool(ctx, PoolKind::kAverage);
  pool.count_include_pad = ctx.Int("count_include_pad", 0) != 0;
  return {ctx.Emit(pool, {ctx.input(0)})};
}

Values ConvertLpPool(ConvertContext& ctx) {
  Pool pool = ReadPool(ctx, PoolKind::kLp);
  pool.p = ctx.Int("p", 2);
  return {ctx.Emit(pool, {ctx.input(0)})};
}

std::vector<int64_t> SpatialAxes(const ConvertContext& ctx) {
  const Shape& x = StaticShape(ctx, 0);
  if (x.size() < 2) ThrowInvalid({.what = "wrong rank", .got = ToString(x), .expected = "N x C x ..."});
  return AxesFrom(2, static_cast<int64_t>(x.size()));
}

template <ReduceKind kind>
Values ConvertGlobal(ConvertContext& ctx) {
  return {EmitReduce(ctx, kind, ctx.input(0), SpatialAxes(ctx))};
}

Values ConvertGlobalLpPool(ConvertContext& ctx) {
  const int64_t p = ctx.Int("p", 2);
  const std::vector<int64_t> axes = SpatialAxes(ctx);
  Value* x = ctx.input(0);
  if (p < 1) ThrowInvalid("p is {}, expected 1 or more", p);
  if (p <= 2) return {EmitReduce(ctx, p == 1 ? ReduceKind::kL1 : ReduceKind::kL2, x, axes)};
  const auto power = [&](Value* base, double exponent) {
    return EmitBinary(ctx, BinaryKind::kPow, base, EmitScalar(ctx, x->dtype(), exponent));
  };
  Value* sum =
      EmitReduce(ctx, ReduceKind::kSum, power(EmitUnary(ctx, UnaryKind::kAbs, x), static_cast<double>(p)), axes);
  return {power(sum, 1 / static_cast<double>(p))};
}

}  // namespace

ConverterList PoolConverters() {
  return {
      {"MaxPool", ConvertMaxPool},
      {"AveragePool", ConvertAveragePool},
      {"LpPool", ConvertLpPool},
      {"GlobalMaxPool", ConvertGlobal<ReduceKind::kMax>},
      {"GlobalAveragePool", ConvertGlobal<ReduceKind::kMean>},
      {"GlobalLpPool", ConvertGlobalLpPool},
  };
}

}  // namespace tenon
