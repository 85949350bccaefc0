#include "graph_maker.h"
#include "ops/arg_reduce.h"
#include "ops/cumsum.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "ops/top_k.h"

namespace tenon::property {
namespace {

bool HasAxis(const Value& value) { return RankOf(value) >= 1; }
bool FloatWithAxis(const Value& value) { return IsFloatValue(value) && RankOf(value) >= 1; }
bool NumericWithAxis(const Value& value) { return value.dtype() != DType::kBool && RankOf(value) >= 1; }

void MakeReduce(GraphMaker& m) {
  Reduce op;
  op.kind = m.PickEnum<ReduceKind>(kReduceNames.size());
  const bool any_type = m.OneIn(5);
  Value* x = m.Operand(any_type ? NumericWithAxis : FloatWithAxis);
  if (!x) return;
  op.keep_dims = !m.OneIn(3);
  std::vector<int64_t> axes;
  for (size_t axis = 0; axis < RankOf(*x); ++axis) {
    const auto at = static_cast<int64_t>(axis);
    if (m.OneIn(2)) axes.push_back(m.OneIn(4) ? at - std::ssize(x->shape()) : at);
  }
  op.noop_with_empty_axes = m.OneIn(4);
  const bool absent = m.OneIn(6);
  m.Emit(op, {x, absent ? nullptr : m.Ints(axes)});
}

void MakeSoftmax(GraphMaker& m) {
  Value* x = m.Operand(FloatWithAxis);
  if (!x) return;
  Softmax op;
  op.axis = m.Axis(RankOf(*x));
  op.log = m.OneIn(4);
  m.Emit(op, {x});
}

void MakeArgReduce(GraphMaker& m) {
  Value* x = m.Operand(NumericWithAxis);
  if (!x) return;
  ArgReduce op;
  op.kind = m.PickEnum<ArgReduceKind>(2);
  op.axis = m.Axis(RankOf(*x));
  op.keep_dims = !m.OneIn(2);
  op.select_last_index = m.OneIn(3);
  m.Emit(op, {x});
}

void MakeCumSum(GraphMaker& m) {
  Value* x = m.Operand(NumericWithAxis);
  if (!x) return;
  CumSum op;
  op.exclusive = m.OneIn(3);
  op.reverse = m.OneIn(3);
  m.Emit(op, {x, m.Constant(Tensor::Scalar<int64_t>(m.Axis(RankOf(*x))))});
}

void MakePool(GraphMaker& m) {
  Value* x = m.Operand([](const Value& v) { return IsFloatValue(v) && RankOf(v) >= 3 && RankOf(v) <= 5; });
  if (!x) return;
  Pool op;
  op.kind = m.PickEnum<PoolKind>(kPoolNames.size());
  const size_t spatial = RankOf(*x) - 2;
  const int64_t kernel = m.Pick({2, 3, 1, 5}), stride = m.Pick({1, 2, 3}), dilation = m.Pick({1, 1, 1, 2});
  const int64_t pad = m.Pick<int64_t>({0, kernel / 2});
  for (size_t i = 0; i < spatial; ++i) {
    op.kernel.push_back(m.OneIn(8) ? m.DrawIn(1, 4) : kernel);
    op.strides.push_back(m.OneIn(8) ? m.DrawIn(1, 3) : stride);
    op.dilations.push_back(dilation);
  }
  for (size_t i = 0; i < 2 * spatial; ++i)
    op.pads.push_back(m.OneIn(8) ? m.DrawIn(0, op.kernel[i % spatial] - 1) : pad);
  op.ceil_mode = m.OneIn(3);
  op.count_include_pad = m.OneIn(2);
  op.column_major_indices = m.OneIn(8);
  op.p = m.Pick({2, 1, 3});
  m.Emit(op, {x});
}

void MakeTopK(GraphMaker& m) {
  Value* x = m.Operand(HasAxis);
  if (!x) return;
  TopK op;
  op.axis = m.Axis(RankOf(*x));
  op.largest = !m.OneIn(3);
  const int64_t dim = x->shape()[op.axis < 0 ? op.axis + std::ssize(x->shape()) : op.axis];
  m.Emit(op, {x, m.Ints({m.DrawIn(0, dim)})});
}

}  // namespace

std::span<const Maker> ReductionMakers() {
  static const Maker makers[] = {
      {"Reduce", MakeReduce, 4}, {"Softmax", MakeSoftmax, 4}, {"ArgReduce", MakeArgReduce, 1},
      {"CumSum", MakeCumSum, 1}, {"Pool", MakePool, 4},       {"TopK", MakeTopK, 1},
  };
  return makers;
}

}  // namespace tenon::property
