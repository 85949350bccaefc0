#include <algorithm>
#include <numeric>

#include "graph_maker.h"
#include "ops/index.h"
#include "ops/pad.h"

namespace tenon::property {
namespace {

bool HasAxis(const Value& value) { return RankOf(value) >= 1; }

int64_t& DimAt(Shape& shape, int64_t axis) { return shape[axis < 0 ? axis + std::ssize(shape) : axis]; }

/// Splits a dimension, joins two neighbours, flattens, adds or drops a dimension of 1.
void MakeReshape(GraphMaker& m) {
  Value* x = m.Operand(AnyValue);
  if (!x) return;
  Shape shape = x->shape();
  const size_t at = m.Draw(static_cast<uint32_t>(std::max<size_t>(shape.size(), 1)));
  switch (m.Draw(6)) {
    case 0:  // join with the next
      if (at + 1 >= shape.size()) return;
      shape[at] *= shape[at + 1];
      shape.erase(shape.begin() + static_cast<ptrdiff_t>(at) + 1);
      break;
    case 1: {  // split
      if (shape.empty() || shape.size() > 4) return;
      const int64_t part = m.Pick({2, 3, 4, 16});
      if (shape[at] % part != 0) return;
      shape[at] /= part;
      const auto place = shape.begin() + static_cast<ptrdiff_t>(at);
      shape.insert(m.OneIn(2) ? place + 1 : place, part);
      break;
    }
    case 2:
      shape = {ElemCount(shape)};
      break;
    case 3:
      if (shape.size() > 4) return;
      shape.insert(shape.begin() + static_cast<ptrdiff_t>(at), 1);
      break;
    case 4:
      std::erase(shape, 1);
      break;
    default:  // the same elements counted otherwise
      std::reverse(shape.begin(), shape.end());
  }
  Reshape op;
  op.allow_zero = std::ranges::count(shape, 0) > 0;
  if (!op.allow_zero && !shape.empty() && m.OneIn(3)) shape[m.Draw(static_cast<uint32_t>(shape.size()))] = -1;
  m.Emit(op, {x, m.Ints(shape)});
}

void MakeTranspose(GraphMaker& m) {
  Value* x = m.Operand(HasAxis);
  if (!x) return;
  Transpose op;
  op.perm.resize(RankOf(*x));
  std::iota(op.perm.begin(), op.perm.end(), 0);
  for (size_t i = op.perm.size(); i > 1; --i)
    std::swap(op.perm[i - 1], op.perm[i - 1 - m.Draw(static_cast<uint32_t>(i))]);
  if (m.OneIn(8)) op.perm.clear();
  m.Emit(op, {x});
}

void MakeSlice(GraphMaker& m) {
  Value* x = m.Operand(HasAxis);
  if (!x) return;
  std::vector<int64_t> axes, starts, ends, steps;
  const int64_t count = m.Pick({1, 1, 2});
  const int64_t first = m.Draw(static_cast<uint32_t>(RankOf(*x)));
  for (int64_t i = 0; i < count && first + i < std::ssize(x->shape()); ++i) {
    const int64_t dim = x->shape()[first + i];
    axes.push_back(m.OneIn(4) ? first + i - std::ssize(x->shape()) : first + i);
    starts.push_back(m.DrawIn(0, dim));
    ends.push_back(m.OneIn(3) ? m.DrawIn(0, dim) : INT64_MAX);
    steps.push_back(m.OneIn(4) ? m.DrawIn(2, 3) : 1);
    if (m.OneIn(6)) {  // backwards
      steps.back() = -steps.back();
      starts.back() = m.OneIn(2) ? -1 : starts.back();
      ends.back() = m.OneIn(2) ? -dim + m.DrawIn(0, dim) : INT64_MIN;
    }
  }
  m.Emit(Slice(), {x, m.Ints(starts), m.Ints(ends), m.Ints(axes), m.Ints(steps)});
}

void MakeConcat(GraphMaker& m) {
  Value* x = m.Operand(HasAxis);
  if (!x) return;
  Concat op;
  op.axis = m.Axis(RankOf(*x));
  if (RankOf(*x) >= 2 && !m.OneIn(3)) op.axis = 1;
  std::vector<Value*> inputs = {x};
  const int64_t others = m.DrawIn(1, 3);
  for (int64_t i = 0; i < others; ++i) {
    Value* other = m.Operand([&](const Value& v) {
      Shape like = v.shape();
      if (v.dtype() != x->dtype() || like.size() != RankOf(*x)) return false;
      Shape own = x->shape();
      DimAt(like, op.axis) = DimAt(own, op.axis);
      return like == own;
    });
    if (m.OneIn(4)) {
      Shape shape = x->shape();
      DimAt(shape, op.axis) = m.DrawIn(0, 3);
      other = m.RandomParameter(x->dtype(), shape);
    }
    if (other) inputs.push_back(other);
  }
  if (m.OneIn(3)) std::reverse(inputs.begin(), inputs.end());
  m.Emit(op, inputs);
}

void MakeSplit(GraphMaker& m) {
  Value* x = m.Operand(HasAxis);
  if (!x) return;
  Split op;
  op.axis = m.Axis(RankOf(*x));
  if (RankOf(*x) >= 2 && !m.OneIn(3)) op.axis = 1;
  op.num_outputs = m.DrawIn(2, 4);
  Value* sizes = nullptr;
  if (m.OneIn(2)) {
    Shape shape = x->shape();
    std::vector<int64_t> parts;
    int64_t rest = DimAt(shape, op.axis);
    for (int64_t i = 1; i < op.num_outputs; ++i) {
      parts.push_back(m.DrawIn(0, rest));
      rest -= parts.back();
    }
    parts.push_back(rest);
    sizes = m.Ints(parts);
  }
  m.Emit(op, {x, sizes});
}

void MakeExpand(GraphMaker& m) {
  Value* x = m.Operand([](const Value& v) { return RankOf(v) <= 4; });
  if (!x) return;
  Shape shape = x->shape();
  for (int64_t& dim : shape) {
    if (dim == 1 && m.OneIn(2)) dim = m.DrawIn(1, 5);
  }
  if (m.OneIn(3)) shape.insert(shape.begin(), m.DrawIn(1, 3));
  m.Emit(Expand(), {x, m.Ints(shape)});
}

void MakePad(GraphMaker& m) {
  Value* x = m.Operand(HasAxis);
  if (!x) return;
  Pad op;
  op.mode = m.PickEnum<PadMode>(kPadModeNames.size());
  const size_t rank = RankOf(*x);
  std::vector<int64_t> pads(2 * rank, 0);
  for (size_t i = 0; i < pads.size(); ++i) {
    if (i % rank + 2 >= rank || m.OneIn(4)) pads[i] = m.DrawIn(0, 2);
    if (m.OneIn(12)) pads[i] = -1;
  }
  Value* value = nullptr;
  if (op.mode == PadMode::kConstant && m.OneIn(3)) value = m.RandomParameter(x->dtype(), {});
  m.Emit(op, {x, m.Ints(pads), value});
}

void MakeTile(GraphMaker& m) {
  Value* x = m.Operand(HasAxis);
  if (!x) return;
  std::vector<int64_t> repeats;
  for (size_t i = 0; i < RankOf(*x); ++i) repeats.push_back(m.OneIn(3) ? m.DrawIn(0, 3) : 1);
  m.Emit(Tile(), {x, m.Ints(repeats)});
}

void MakeCenterCropPad(GraphMaker& m) {
  Value* x = m.Operand(HasAxis);
  if (!x) return;
  CenterCropPad op;
  std::vector<int64_t> sizes;
  for (size_t i = 0; i < RankOf(*x); ++i) {
    if (!m.OneIn(2)) continue;
    op.axes.push_back(static_cast<int64_t>(i));
    sizes.push_back(m.DrawIn(1, 8));
  }
  if (!sizes.empty()) m.Emit(op, {x, m.Ints(sizes)});
}

}  // namespace

std::span<const Maker> IndexMakers() {
  static const Maker makers[] = {
      {"Reshape", MakeReshape, 8}, {"Transpose", MakeTranspose, 6}, {"Slice", MakeSlice, 6},
      {"Concat", MakeConcat, 8},   {"Split", MakeSplit, 6},         {"Expand", MakeExpand, 2},
      {"Pad", MakePad, 3},         {"Tile", MakeTile, 1},           {"CenterCropPad", MakeCenterCropPad, 1},
  };
  return makers;
}

}  // namespace tenon::property
