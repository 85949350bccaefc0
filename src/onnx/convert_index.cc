#include <algorithm>

#include "onnx/converter_list.h"
#include "ops/index.h"
#include "ops/shape.h"

namespace tenon {
namespace {

/// Reshape to a shape that is known now.
Value* ReshapeTo(ConvertContext& ctx, Value* x, const Shape& shape) {
  Reshape op;
  op.allow_zero = std::find(shape.begin(), shape.end(), 0) != shape.end();
  return ctx.Emit(op, {x, ctx.IntsConstant(shape)});
}

/// What older opsets keep in an attribute and newer ones in operand i; null when absent.
Value* IntsFromAttrOrInput(ConvertContext& ctx, int64_t input_since, std::string_view attr, size_t i) {
  if (ctx.opset >= input_since) return ctx.input(i);
  return ctx.HasAttr(attr) ? ctx.IntsConstant(ctx.Ints(attr)) : nullptr;
}

std::vector<Value*> ConvertReshape(ConvertContext& ctx) {
  Reshape op;
  op.allow_zero = ctx.Int("allowzero", 0) != 0;
  return {ctx.Emit(op, {ctx.input(0), ctx.input(1)})};
}

std::vector<Value*> ConvertFlatten(ConvertContext& ctx) {
  int64_t axis = ctx.Int("axis", 1);
  Value* x = ctx.input(0);
  if (!x->has_shape()) {
    // What Reshape itself can say: 0 copies a dimension.
    if (axis != 0 && axis != 1) ctx.Unsupported("its input has no static shape");
    return {ReshapeTo(ctx, x, axis == 0 ? Shape{1, -1} : Shape{0, -1})};
  }
  const Shape& shape = x->shape();
  const auto rank = static_cast<int64_t>(shape.size());
  if (axis < -rank || axis > rank) ThrowInvalid("Flatten: axis {} is outside a tensor of rank {}", axis, rank);
  if (axis < 0) axis += rank;
  return {ReshapeTo(
      ctx, x, {ElemCount({shape.begin(), shape.begin() + axis}), ElemCount({shape.begin() + axis, shape.end()})})};
}

std::vector<Value*> ConvertSqueeze(ConvertContext& ctx) {
  Value* x = ctx.input(0);
  Value* axes = IntsFromAttrOrInput(ctx, 13, "axes", 1);
  if (!x->has_shape() || (axes && !axes->is_constant())) return {ctx.Emit(Squeeze{}, {x, axes})};
  return {ReshapeTo(ctx, x, SqueezedShape(x->shape(), axes ? std::optional(axes->constant().AsInts()) : std::nullopt))};
}

std::vector<Value*> ConvertUnsqueeze(ConvertContext& ctx) {
  Value* x = ctx.input(0);
  Value* axes = IntsFromAttrOrInput(ctx, 13, "axes", 1);
  if (!axes) ThrowInvalid("Unsqueeze: axes are missing");
  if (!x->has_shape() || !axes->is_constant()) return {ctx.Emit(Unsqueeze{}, {x, axes})};
  return {ReshapeTo(ctx, x, UnsqueezedShape(x->shape(), axes->constant().AsInts()))};
}

std::vector<Value*> ConvertTranspose(ConvertContext& ctx) {
  Transpose op;
  op.perm = ctx.Ints("perm");
  return {ctx.Emit(op, {ctx.input(0)})};
}

std::vector<Value*> ConvertSlice(ConvertContext& ctx) {
  if (ctx.opset >= 10) {
    if (!ctx.input(1) || !ctx.input(2)) ThrowInvalid("Slice: starts or ends are missing");
    return {ctx.Emit(Slice{}, {ctx.input(0), ctx.input(1), ctx.input(2), ctx.input(3), ctx.input(4)})};
  }
  Value* starts = ctx.IntsConstant(ctx.Ints("starts"));
  Value* ends = ctx.IntsConstant(ctx.Ints("ends"));
  return {ctx.Emit(Slice{}, {ctx.input(0), starts, ends, IntsFromAttrOrInput(ctx, 10, "axes", 3)})};
}

std::vector<Value*> ConvertConcat(ConvertContext& ctx) {
  Concat op;
  op.axis = ctx.Int("axis", 1);
  return {ctx.Emit(op, ctx.inputs)};
}

std::vector<Value*> ConvertSplit(ConvertContext& ctx) {
  Split op;
  op.axis = ctx.Int("axis", 0);
  op.num_outputs = static_cast<int64_t>(ctx.output_count());
  if (const int64_t wanted = ctx.Int("num_outputs", op.num_outputs); wanted != op.num_outputs) {
    ThrowInvalid("Split: num_outputs is {}, but the node has {} outputs", wanted, op.num_outputs);
  }
  Value* sizes = IntsFromAttrOrInput(ctx, 13, "split", 1);
  return ctx.EmitNode(std::make_unique<Split>(op), {ctx.input(0), sizes})->outputs();
}

std::vector<Value*> ConvertExpand(ConvertContext& ctx) { return {ctx.Emit(Expand{}, {ctx.input(0), ctx.input(1)})}; }

/// Depth and space ops are reshapes around a transpose, which passes and backends know how to fuse.
struct BlockDims {
  int64_t n, c, h, w, block;
};

BlockDims BlockOf(ConvertContext& ctx) {
  const Value* x = ctx.input(0);
  const int64_t block = ctx.Int("blocksize", 0);
  if (!x->has_shape()) ctx.Unsupported("its input has no static shape");
  if (x->shape().size() != 4) ThrowInvalid("{}: {} isn't N x C x H x W", ctx.op_type(), ToString(x->shape()));
  if (block < 1 || block > (1 << 20)) ThrowInvalid("{}: bad blocksize {}", ctx.op_type(), block);
  return {x->shape()[0], x->shape()[1], x->shape()[2], x->shape()[3], block};
}

Value* Permuted(ConvertContext& ctx, Value* x, std::vector<int64_t> perm) {
  Transpose op;
  op.perm = std::move(perm);
  return ctx.Emit(op, {x});
}

std::vector<Value*> ConvertDepthToSpace(ConvertContext& ctx) {
  const auto [n, c, h, w, b] = BlockOf(ctx);
  const std::string mode = ctx.String("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") ThrowInvalid("DepthToSpace: bad mode '{}'", mode);
  if (c % (b * b) != 0) ThrowInvalid("DepthToSpace: {} channels for blocksize {}", c, b);
  const int64_t depth = c / (b * b);
  const bool depth_last = mode == "DCR";
  Value* split = ReshapeTo(ctx, ctx.input(0), depth_last ? Shape{n, b, b, depth, h, w} : Shape{n, depth, b, b, h, w});
  Value* moved = Permuted(ctx, split,
                          depth_last ? std::vector<int64_t>{0, 3, 4, 1, 5, 2} : std::vector<int64_t>{0, 1, 4, 2, 5, 3});
  return {ReshapeTo(ctx, moved, {n, depth, h * b, w * b})};
}

std::vector<Value*> ConvertSpaceToDepth(ConvertContext& ctx) {
  const auto [n, c, h, w, b] = BlockOf(ctx);
  if (h % b != 0 || w % b != 0) ThrowInvalid("SpaceToDepth: {}x{} pixels for blocksize {}", h, w, b);
  Value* split = ReshapeTo(ctx, ctx.input(0), {n, c, h / b, b, w / b, b});
  return {ReshapeTo(ctx, Permuted(ctx, split, {0, 3, 5, 1, 2, 4}), {n, c * b * b, h / b, w / b})};
}

}  // namespace

ConverterList IndexConverters() {
  return {{"Reshape", ConvertReshape, 2},
          {"Flatten", ConvertFlatten},
          {"Squeeze", ConvertSqueeze},
          {"Unsqueeze", ConvertUnsqueeze},
          {"Transpose", ConvertTranspose},
          {"Slice", ConvertSlice},
          {"Concat", ConvertConcat},
          {"Split", ConvertSplit},
          {"Expand", ConvertExpand, 2},
          {"DepthToSpace", ConvertDepthToSpace},
          {"SpaceToDepth", ConvertSpaceToDepth}};
}

}  // namespace tenon
