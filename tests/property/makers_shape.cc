#include "graph_maker.h"
#include "ops/shape.h"

namespace tenon::property {
namespace {

void MakeShapeOf(GraphMaker& m) {
  Value* x = m.Operand(AnyValue);
  if (!x) return;
  ShapeOf op;
  op.start = m.OneIn(3) ? m.DrawIn(-2, 2) : 0;
  op.end = m.OneIn(3) ? m.DrawIn(-2, 3) : ShapeOf::kToEnd;
  m.Emit(op, {x});
}

void MakeSize(GraphMaker& m) {
  if (Value* x = m.Operand(AnyValue)) m.Emit(Size(), {x});
}

void MakeSqueeze(GraphMaker& m) {
  Value* x = m.Operand(AnyValue);
  if (!x) return;
  std::vector<int64_t> axes;
  for (size_t i = 0; i < RankOf(*x); ++i) {
    if (x->shape()[i] == 1 && !m.OneIn(3)) axes.push_back(static_cast<int64_t>(i));
  }
  m.Emit(Squeeze(), {x, m.OneIn(3) ? nullptr : m.Ints(axes)});
}

void MakeUnsqueeze(GraphMaker& m) {
  Value* x = m.Operand([](const Value& v) { return RankOf(v) <= 4; });
  if (x) m.Emit(Unsqueeze(), {x, m.Ints({m.Axis(RankOf(*x) + 1)})});
}

void MakeRange(GraphMaker& m) {
  const DType dtype = m.Pick({DType::kFloat32, DType::kInt64, DType::kInt32});
  const auto scalar = [&](int64_t value) { return m.Constant(Tensor::Scalar<int64_t>(value).CastTo(dtype)); };
  Value* start = scalar(m.DrawIn(0, 3));
  Value* limit = scalar(m.DrawIn(4, 12));
  m.Emit(Range(), {start, limit, scalar(m.DrawIn(1, 3))});
}

void MakeEyeLike(GraphMaker& m) {
  Value* x = m.Operand([](const Value& v) { return RankOf(v) == 2; });
  if (!x) return;
  EyeLike op;
  op.dtype = m.Pick({DType::kFloat32, DType::kInt64, DType::kBool});
  op.k = m.DrawIn(-1, 2);
  m.Emit(op, {x});
}

}  // namespace

std::span<const Maker> ShapeMakers() {
  static const Maker makers[] = {
      {"Shape", MakeShapeOf, 1},       {"Size", MakeSize, 1},   {"Squeeze", MakeSqueeze, 2},
      {"Unsqueeze", MakeUnsqueeze, 2}, {"Range", MakeRange, 1}, {"EyeLike", MakeEyeLike, 1},
  };
  return makers;
}

}  // namespace tenon::property
