#include <algorithm>

#include "onnx/converter_list.h"
#include "onnx/emit.h"
#include "ops/arg_reduce.h"
#include "ops/cumsum.h"

namespace tenon {
namespace {

using Values = std::vector<Value*>;

/// Axes are an attribute before opset 18 (13 for ReduceSum), an operand since.
template <ReduceKind kind>
Values ConvertReduce(ConvertContext& ctx) {
  Reduce reduce;
  reduce.kind = kind;
  reduce.keep_dims = ctx.Int("keepdims", 1) != 0;
  reduce.noop_with_empty_axes = ctx.Int("noop_with_empty_axes", 0) != 0;
  Value* axes = ctx.input(1);
  if (ctx.HasAttr("axes")) axes = ctx.IntsConstant(ctx.Ints("axes"));
  return {ctx.Emit(reduce, {ctx.input(0), axes})};
}

int64_t NonNegativeAxis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= std::max<int64_t>(rank, 1))
    ThrowInvalid("axis {} is outside a tensor of rank {}", axis, rank);
  return axis < 0 ? axis + rank : axis;
}

/// Before opset 13 softmax and hardmax flattened x to a matrix at `axis` and worked on its rows. Returns the matrix, or
/// x itself where one axis has all the elements anyway; sets `axis` to the one to work on.
Value* FlattenForRows(ConvertContext& ctx, int64_t& axis) {
  Value* x = ctx.input(0);
  if (ctx.opset >= 13) return x;
  const Shape& shape = StaticShape(ctx, 0);
  axis = NonNegativeAxis(axis, static_cast<int64_t>(shape.size()));
  const auto begin = shape.begin() + std::min<int64_t>(axis, static_cast<int64_t>(shape.size()));
  const int64_t columns = ElemCount({begin, shape.end()}), rows = ElemCount({shape.begin(), begin});
  if (!shape.empty() && std::all_of(begin + 1, shape.end(), [](int64_t dim) { return dim == 1; })) return x;
  axis = 1;
  return EmitReshape(ctx, x, {rows, columns});
}

/// Undoes FlattenForRows on a result.
Value* Unflatten(ConvertContext& ctx, Value* y) {
  return ctx.opset >= 13 || y->shape() == StaticShape(ctx, 0) ? y : EmitReshape(ctx, y, StaticShape(ctx, 0));
}

Values ConvertSoftmax(ConvertContext& ctx) {
  Softmax softmax;
  softmax.axis = ctx.Int("axis", ctx.opset >= 13 ? -1 : 1);
  softmax.log = ctx.op_type() == "LogSoftmax";
  Value* x = FlattenForRows(ctx, softmax.axis);
  return {Unflatten(ctx, ctx.Emit(softmax, {x}))};
}

/// 1 at the first maximum along the axis, 0 elsewhere.
Values ConvertHardmax(ConvertContext& ctx) {
  ArgReduce search;
  search.axis = ctx.Int("axis", ctx.opset >= 13 ? -1 : 1);
  Value* x = FlattenForRows(ctx, search.axis);
  if (!x->has_shape()) ctx.Unsupported("the shape of operand 0 depends on data");
  const int64_t rank = static_cast<int64_t>(x->shape().size()), axis = NonNegativeAxis(search.axis, rank);
  std::vector<int64_t> positions = AxesFrom(0, x->shape()[axis]);
  Shape shape(x->shape().size(), 1);
  shape[axis] = x->shape()[axis];
  Value* index = ctx.Constant(Tensor::Of<int64_t>(shape, positions));
  Value* hit = EmitBinary(ctx, BinaryKind::kEqual, ctx.Emit(search, {x}), index);
  return {Unflatten(ctx, EmitCast(ctx, hit, x->dtype()))};
}

template <ArgReduceKind kind>
Values ConvertArgReduce(ConvertContext& ctx) {
  ArgReduce search;
  search.kind = kind;
  search.axis = ctx.Int("axis", 0);
  search.keep_dims = ctx.Int("keepdims", 1) != 0;
  search.select_last_index = ctx.Int("select_last_index", 0) != 0;
  return {ctx.Emit(search, {ctx.input(0)})};
}

Values ConvertCumSum(ConvertContext& ctx) {
  CumSum sum;
  sum.exclusive = ctx.Int("exclusive", 0) != 0;
  sum.reverse = ctx.Int("reverse", 0) != 0;
  return {ctx.Emit(sum, {ctx.input(0), ctx.input(1)})};
}

}  // namespace

ConverterList ReduceConverters() {
  return {
      {"ReduceSum", ConvertReduce<ReduceKind::kSum>},
      {"ReduceMean", ConvertReduce<ReduceKind::kMean>},
      {"ReduceMax", ConvertReduce<ReduceKind::kMax>},
      {"ReduceMin", ConvertReduce<ReduceKind::kMin>},
      {"ReduceProd", ConvertReduce<ReduceKind::kProd>},
      {"ReduceL1", ConvertReduce<ReduceKind::kL1>},
      {"ReduceL2", ConvertReduce<ReduceKind::kL2>},
      {"ReduceLogSum", ConvertReduce<ReduceKind::kLogSum>},
      {"ReduceLogSumExp", ConvertReduce<ReduceKind::kLogSumExp>},
      {"ReduceSumSquare", ConvertReduce<ReduceKind::kSumSquare>},
      {"Softmax", ConvertSoftmax},
      {"LogSoftmax", ConvertSoftmax},
      {"Hardmax", ConvertHardmax},
      {"ArgMax", ConvertArgReduce<ArgReduceKind::kMax>},
      {"ArgMin", ConvertArgReduce<ArgReduceKind::kMin>},
      {"CumSum", ConvertCumSum, 2},
  };
}

}  // namespace tenon
