#include "ops/select.h"

#include <algorithm>
#include <numeric>

#include "ops/gather.h"
#include "ops/order.h"
#include "ops/shape_rules.h"
#include "ops/strided.h"

namespace tenon {
namespace {

Tensor Ints(const std::vector<int64_t>& values) {
  return Tensor::Of<int64_t>({static_cast<int64_t>(values.size())}, values);
}

/// The slices of x at `indices`, all within the axis.
Tensor Take(const Tensor& x, int64_t axis, const std::vector<int64_t>& indices) {
  Gather gather;
  gather.axis = axis;
  return gather.Evaluate(std::vector<Tensor>{x, Ints(indices)})[0];
}

/// The operand that the axis is one of: x itself, or x as one row.
Tensor AlongAxis(const Tensor& x, bool flatten) { return flatten ? x.Reshaped({x.elems()}) : x; }

/// -1, 0, 1 as slice a sorts before, with or after slice b.
template <class T>
int CompareSlices(const T* data, const AxisSplit& split, int64_t a, int64_t b) {
  for (int64_t outer = 0; outer < split.outer; ++outer) {
    const T* at_a = data + (outer * split.size + a) * split.inner;
    const T* at_b = data + (outer * split.size + b) * split.inner;
    for (int64_t i = 0; i < split.inner; ++i) {
      if (TotalLess(at_a[i], at_b[i])) return -1;
      if (TotalLess(at_b[i], at_a[i])) return 1;
    }
  }
  return 0;
}

/// Slice indices grouped: equal slices side by side in their order, groups sorted.
std::vector<std::vector<int64_t>> GroupSlices(const Tensor& x, const AxisSplit& split) {
  std::vector<int64_t> order(static_cast<size_t>(split.size));
  std::iota(order.begin(), order.end(), 0);
  std::vector<std::vector<int64_t>> groups;
  DispatchDType(x.dtype(), [&]<class T>() {
    const T* data = x.data<T>();
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return CompareSlices(data, split, a, b) < 0; });
    for (const int64_t slice : order) {
      if (groups.empty() || CompareSlices(data, split, groups.back()[0], slice) != 0) groups.emplace_back();
      groups.back().push_back(slice);
    }
  });
  return groups;
}

/// The axis is one of x's.
void CheckAxis(std::string_view op, std::span<const InferInput> inputs, int64_t axis, bool flatten) {
  const Shape* x = KnownShape(inputs, 0);
  if (x && !flatten) NormalizeAxis(op, axis, static_cast<int64_t>(x->size()));
}

}  // namespace

std::vector<TensorType> NonZero::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 1, 1);
  return {UnknownType(DType::kInt64)};
}

std::vector<Tensor> NonZero::Evaluate(std::span<const Tensor> inputs) const {
  InferTensors(*this, inputs);
  const Tensor& x = inputs[0];
  const Tensor mask = x.CastTo(DType::kBool);
  const auto holds = mask.values<bool>();
  const int64_t count = std::count(holds.begin(), holds.end(), true);
  Tensor y = Tensor(DType::kInt64, KnownType(kName, DType::kInt64, {x.rank(), count}).shape.value());
  GridWalker walker(x.shape(), std::vector<int64_t>(x.shape().size(), 0));
  int64_t found = 0;
  for (const bool hold : holds) {
    for (int64_t d = 0; hold && d < x.rank(); ++d) y.data<int64_t>()[d * count + found] = walker.index()[d];
    found += hold;
    walker.Next();
  }
  return {y};
}

void Compress::VisitAttrs(AttrVisitor& visitor) {
  visitor.Bool("flatten", flatten);
  visitor.Int("axis", axis);
}

std::vector<TensorType> Compress::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 2, 2);
  CheckDType(kName, inputs, 1, {DType::kBool});
  const Shape* condition = KnownShape(inputs, 1);
  if (condition && condition->size() != 1) ThrowInvalid("Compress: the condition {} isn't 1-D", ToString(*condition));
  CheckAxis(kName, inputs, axis, flatten);
  return {UnknownType(inputs[0].type->dtype)};
}

std::vector<Tensor> Compress::Evaluate(std::span<const Tensor> inputs) const {
  InferTensors(*this, inputs);
  const Tensor x = AlongAxis(inputs[0], flatten);
  const int64_t at = flatten ? 0 : NormalizeAxis(kName, axis, x.rank());
  const auto condition = inputs[1].values<bool>();
  std::vector<int64_t> taken;
  for (int64_t i = 0; i < inputs[1].elems(); ++i) {
    if (condition[i]) taken.push_back(i);
  }
  return {Take(x, at, taken)};
}

void Unique::VisitAttrs(AttrVisitor& visitor) {
  visitor.Bool("flatten", flatten);
  visitor.Int("axis", axis);
  visitor.Bool("sorted", sorted);
}

std::vector<TensorType> Unique::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 1, 1);
  CheckAxis(kName, inputs, axis, flatten);
  const TensorType ints = UnknownType(DType::kInt64);
  return {UnknownType(inputs[0].type->dtype), ints, ints, ints};
}

std::vector<Tensor> Unique::Evaluate(std::span<const Tensor> inputs) const {
  InferTensors(*this, inputs);
  const Tensor x = AlongAxis(inputs[0], flatten);
  const int64_t at = flatten ? 0 : NormalizeAxis(kName, axis, x.rank());
  auto groups = GroupSlices(x, SplitAtAxis(x.shape(), at));
  if (!sorted) std::sort(groups.begin(), groups.end(), [](const auto& a, const auto& b) { return a[0] < b[0]; });
  std::vector<int64_t> first, counts, places(static_cast<size_t>(x.shape()[at]));
  for (size_t g = 0; g < groups.size(); ++g) {
    first.push_back(groups[g][0]);
    counts.push_back(static_cast<int64_t>(groups[g].size()));
    for (const int64_t slice : groups[g]) places[slice] = static_cast<int64_t>(g);
  }
  return {Take(x, at, first), Ints(first), Ints(places), Ints(counts)};
}

}  // namespace tenon
