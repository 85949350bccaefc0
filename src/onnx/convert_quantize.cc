#include <limits>

#include "onnx/converter_list.h"
#include "onnx/emit.h"
#include "ops/quantize.h"

namespace tenon {
namespace {

using Values = std::vector<Value*>;

Values ConvertQuantizeLinear(ConvertContext& ctx) {
  QuantizeLinear op;
  const int64_t type = ctx.Int("output_dtype", 0);
  op.to = ctx.input(2) ? ctx.input(2)->dtype() : type != 0 ? DTypeAttr(ctx, type) : DType::kUInt8;
  op.axis = ctx.Int("axis", 1);
  op.block_size = ctx.Int("block_size", 0);
  if (op.to != DType::kInt8 && op.to != DType::kUInt8)
    ctx.Unsupported(fmt::format("quantisation to {}", ToString(op.to)));
  return {ctx.Emit(op, {ctx.input(0), ctx.input(1), EmitZeroPoint(ctx, ctx.input(2), ctx.input(1))})};
}

Values ConvertDequantizeLinear(ConvertContext& ctx) {
  DequantizeLinear op;
  const int64_t type = ctx.Int("output_dtype", 0);
  op.to = type != 0 ? DTypeAttr(ctx, type) : ctx.input(1)->dtype();
  op.axis = ctx.Int("axis", 1);
  op.block_size = ctx.Int("block_size", 0);
  return {ctx.Emit(op, {ctx.input(0), ctx.input(1), EmitZeroPoint(ctx, ctx.input(2), ctx.input(1))})};
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
  // Zeros alone would divide by 0: any scale will do for them.
  constexpr float kLeast = std::numeric_limits<float>::min();
  Value* scale =
      EmitBinary(ctx, BinaryKind::kMax, EmitBinary(ctx, BinaryKind::kDiv, range, EmitScalar(ctx, x->dtype(), 255)),
                 EmitScalar(ctx, x->dtype(), kLeast));
  Value* lowest = EmitBinary(ctx, BinaryKind::kDiv, EmitUnary(ctx, UnaryKind::kNeg, min), scale);
  Value* rounded = EmitUnary(ctx, UnaryKind::kRound, EmitUnary(ctx, UnaryKind::kClip, lowest, 0, 255));
  Value* zero_point = EmitCast(ctx, rounded, DType::kUInt8);
  return {EmitQuantize(ctx, x, scale, zero_point), scale, zero_point};
}

}  // namespace

ConverterList QuantizeConverters() {
  return {
      {"QuantizeLinear", ConvertQuantizeLinear, 2},
      {"DequantizeLinear", ConvertDequantizeLinear, 2},
      {"DynamicQuantizeLinear", ConvertDynamicQuantizeLinear},
  };
}

}  // namespace tenon
