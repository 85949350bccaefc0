#include <algorithm>

#include "graph_maker.h"
#include "ops/fill.h"
#include "ops/gather.h"
#include "ops/nms.h"
#include "ops/scatter.h"
#include "ops/select.h"

namespace tenon::property {
namespace {

bool HasAxis(const Value& value) { return RankOf(value) >= 1; }
bool IsMatrix(const Value& value) { return RankOf(value) >= 2; }
bool HasElements(const Value& value) { return RankOf(value) >= 1 && ElemCount(value.shape()) > 0; }

int64_t DimAt(const Value& x, int64_t axis) { return x.shape()[axis < 0 ? axis + std::ssize(x.shape()) : axis]; }

void MakeGather(GraphMaker& m) {
  Value* x = m.Operand(HasElements);
  if (!x) return;
  Gather op;
  op.axis = m.Axis(RankOf(*x));
  const Shape shape = m.Pick<Shape>({Shape{3}, Shape{}, Shape{1}, Shape{2, 2}, Shape{0}});
  m.Emit(op, {x, m.Indices(shape, DimAt(*x, op.axis))});
}

Shape SmallerThan(GraphMaker& m, const Value& x, int64_t axis) {
  Shape shape = x.shape();
  for (int64_t& dim : shape) {
    if (m.OneIn(3)) dim = m.DrawIn(std::min<int64_t>(dim, 1), dim);
  }
  shape[axis < 0 ? axis + std::ssize(shape) : axis] = m.DrawIn(0, 4);
  return shape;
}

void MakeGatherElements(GraphMaker& m) {
  Value* x = m.Operand(HasElements);
  if (!x) return;
  GatherElements op;
  op.axis = m.Axis(RankOf(*x));
  m.Emit(op, {x, m.Indices(SmallerThan(m, *x, op.axis), DimAt(*x, op.axis))});
}

/// One common bound for all indexed dimensions: the smallest.
int64_t SmallestDim(const Value& x, size_t first, size_t count) {
  return *std::min_element(x.shape().begin() + static_cast<ptrdiff_t>(first),
                           x.shape().begin() + static_cast<ptrdiff_t>(first + count));
}

void MakeGatherNd(GraphMaker& m) {
  Value* x = m.Operand(HasElements);
  if (!x) return;
  GatherND op;
  const size_t batch = m.OneIn(3) && RankOf(*x) >= 2 ? 1 : 0;
  op.batch_dims = static_cast<int64_t>(batch);
  const size_t depth = 1 + m.Draw(static_cast<uint32_t>(RankOf(*x) - batch));
  Shape shape(x->shape().begin(), x->shape().begin() + op.batch_dims);
  shape.insert(shape.end(), {m.DrawIn(1, 3), static_cast<int64_t>(depth)});
  m.Emit(op, {x, m.Indices(shape, SmallestDim(*x, batch, depth))});
}

ScatterReduction PickReduction(GraphMaker& m) { return m.PickEnum<ScatterReduction>(kScatterReductionNames.size()); }

void MakeScatterElements(GraphMaker& m) {
  Value* x = m.Operand(HasElements);
  if (!x) return;
  ScatterElements op;
  op.axis = m.Axis(RankOf(*x));
  op.reduction = PickReduction(m);
  const Shape shape = SmallerThan(m, *x, op.axis);
  Value* indices = m.Indices(shape, DimAt(*x, op.axis));
  m.Emit(op, {x, indices, m.RandomParameter(x->dtype(), shape)});
}

void MakeScatterNd(GraphMaker& m) {
  Value* x = m.Operand(HasElements);
  if (!x) return;
  ScatterND op;
  op.reduction = PickReduction(m);
  const size_t depth = 1 + m.Draw(static_cast<uint32_t>(RankOf(*x)));
  Shape updates = {m.DrawIn(1, 3)};
  const Shape indices = {updates[0], static_cast<int64_t>(depth)};
  updates.insert(updates.end(), x->shape().begin() + static_cast<ptrdiff_t>(depth), x->shape().end());
  Value* places = m.Indices(indices, SmallestDim(*x, 0, depth));
  m.Emit(op, {x, places, m.RandomParameter(x->dtype(), updates)});
}

void MakeOneHot(GraphMaker& m) {
  Value* x = m.Operand([](const Value& v) { return v.dtype() != DType::kBool && !IsFloatValue(v) && RankOf(v) <= 4; });
  if (!x) return;
  OneHot op;
  op.axis = m.Pick<int64_t>({-1, 0});
  const DType dtype = m.Pick({DType::kFloat32, DType::kInt64});
  m.Emit(op, {x, m.Ints({m.DrawIn(1, 6)}), m.RandomParameter(dtype, {2})});
}

void MakeTrilu(GraphMaker& m) {
  Value* x = m.Operand(IsMatrix);
  if (!x) return;
  Trilu op;
  op.upper = !m.OneIn(2);
  Value* k = m.OneIn(2) ? m.Parameter(Tensor::Scalar<int64_t>(m.DrawIn(-2, 3)), -2, 3) : nullptr;
  m.Emit(op, {x, k});
}

void MakeReverseSequence(GraphMaker& m) {
  Value* x = m.Operand(IsMatrix);
  if (!x) return;
  ReverseSequence op;
  op.batch_axis = m.Pick<int64_t>({1, 0});
  op.time_axis = 1 - op.batch_axis;
  const int64_t steps = x->shape()[op.time_axis];
  std::vector<int64_t> lengths;
  for (int64_t i = 0; i < x->shape()[op.batch_axis]; ++i) lengths.push_back(m.DrawIn(0, steps));
  m.Emit(op, {x, m.Ints(lengths)});
}

void MakeNonZero(GraphMaker& m) {
  if (Value* x = m.Operand(HasAxis)) m.Emit(NonZero(), {x});
}

void MakeCompress(GraphMaker& m) {
  Value* x = m.Operand(HasAxis);
  if (!x) return;
  Compress op;
  op.flatten = !m.OneIn(2);
  op.axis = m.Axis(RankOf(*x));
  const int64_t dim = op.flatten ? ElemCount(x->shape()) : DimAt(*x, op.axis);
  m.Emit(op, {x, m.RandomParameter(DType::kBool, {m.DrawIn(0, dim)})});
}

void MakeUnique(GraphMaker& m) {
  Value* x = m.Operand(HasAxis);
  if (!x) return;
  Unique op;
  op.flatten = !m.OneIn(2);
  op.axis = m.Axis(RankOf(*x));
  op.sorted = !m.OneIn(2);
  m.Emit(op, {x});
}

void MakeNms(GraphMaker& m) {
  const int64_t batch = m.DrawIn(1, 2), boxes = m.DrawIn(0, 6), classes = m.DrawIn(1, 3);
  NonMaxSuppression op;
  op.center_point_box = m.OneIn(2);
  Value* box = m.RandomParameter(DType::kFloat32, {batch, boxes, 4});
  Value* score = m.RandomParameter(DType::kFloat32, {batch, classes, boxes});
  m.Emit(op, {box, score, m.Ints({m.DrawIn(0, 4)}), m.Constant(Tensor::Scalar<float>(0.4f))});
}

}  // namespace

std::span<const Maker> GatherMakers() {
  static const Maker makers[] = {
      {"Gather", MakeGather, 3},       {"GatherElements", MakeGatherElements, 1},
      {"GatherND", MakeGatherNd, 1},   {"ScatterElements", MakeScatterElements, 1},
      {"ScatterND", MakeScatterNd, 1}, {"OneHot", MakeOneHot, 1},
      {"Trilu", MakeTrilu, 1},         {"ReverseSequence", MakeReverseSequence, 1},
      {"NonZero", MakeNonZero, 0},     {"Compress", MakeCompress, 0},
      {"Unique", MakeUnique, 0},       {"NonMaxSuppression", MakeNms, 0},
  };
  return makers;
}

}  // namespace tenon::property
