#include "ops/scatter.h"

#include <cmath>
#include <cstring>

#include "ops/gather.h"
#include "ops/shape_rules.h"
#include "ops/strided.h"

namespace tenon {
namespace {

/// The smaller or larger one; NaN where either is NaN.
template <class T>
T Extreme(T old, T update, bool smaller) {
  if (update != update) return update;
  return (smaller ? update < old : old < update) ? update : old;
}

template <class T>
T Combine(ScatterReduction reduction, T old, T update) {
  if constexpr (std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>) {
    return T(Combine(reduction, static_cast<float>(old), static_cast<float>(update)));
  } else if constexpr (std::is_same_v<T, bool>) {
    const bool is_or = reduction == ScatterReduction::kAdd || reduction == ScatterReduction::kMax;
    return is_or ? old || update : old && update;
  } else {
    // Unsigned arithmetic is what makes overflow wrap.
    using Wide = std::conditional_t<std::is_integral_v<T>, uint64_t, T>;
    switch (reduction) {
      case ScatterReduction::kNone:
        return update;
      case ScatterReduction::kAdd:
        return static_cast<T>(static_cast<Wide>(old) + static_cast<Wide>(update));
      case ScatterReduction::kMul:
        return static_cast<T>(static_cast<Wide>(old) * static_cast<Wide>(update));
      case ScatterReduction::kMin:
        return Extreme(old, update, true);
      case ScatterReduction::kMax:
        return Extreme(old, update, false);
    }
    return update;
  }
}

template <class T>
void Update(ScatterReduction reduction, T& element, T update) {
  element = reduction == ScatterReduction::kNone ? update : Combine(reduction, element, update);
}

void CheckOperands(std::string_view op, std::span<const InferInput> inputs) {
  CheckOperandCount(op, inputs, 3, 3);
  CheckDType(op, inputs, 1, {DType::kInt64, DType::kInt32});
  CheckSameDType(op, inputs, 2);
}

TensorType TypeOfFirst(std::span<const InferInput> inputs) { return *inputs[0].type; }

Tensor CopyOf(const Tensor& x) {
  Tensor y(x.dtype(), x.shape());
  std::memcpy(y.raw(), x.raw(), static_cast<size_t>(x.size_bytes()));
  return y;
}

}  // namespace

void ScatterElements::VisitAttrs(AttrVisitor& visitor) {
  visitor.Int("axis", axis);
  visitor.Enum("reduction", reduction, kScatterReductionNames);
}

std::vector<TensorType> ScatterElements::Infer(std::span<const InferInput> inputs) const {
  CheckOperands(kName, inputs);
  const Shape *x = KnownShape(inputs, 0), *indices = KnownShape(inputs, 1);
  if (indices) CheckShape(kName, inputs, 2, *indices);
  if (x && indices) {
    const int64_t at = NormalizeAxis(kName, axis, static_cast<int64_t>(x->size()));
    bool fits = x->size() == indices->size();
    for (int64_t i = 0; fits && i < static_cast<int64_t>(x->size()); ++i) fits = i == at || (*indices)[i] <= (*x)[i];
    if (!fits)
      ThrowInvalid(
          {.what = "ScatterElements: bad indices", .got = ToString(*indices), .expected = "within " + ToString(*x)});
  }
  return {TypeOfFirst(inputs)};
}

std::vector<Tensor> ScatterElements::Evaluate(std::span<const Tensor> inputs) const {
  InferTensors(*this, inputs);
  Tensor y = CopyOf(inputs[0]);
  const int64_t at = NormalizeAxis(kName, axis, y.rank());
  std::vector<int64_t> strides = ContiguousStrides(y.shape());
  const int64_t axis_stride = std::exchange(strides[at], 0);
  const std::vector<int64_t> indices = inputs[1].AsInts();
  GridWalker walker(inputs[1].shape(), strides);
  DispatchDType(y.dtype(), [&]<class T>() {
    const T* update = inputs[2].data<T>();
    for (const int64_t index : indices) {
      const int64_t offset = walker.offset() + CheckedIndex(kName, index, y.shape()[at]) * axis_stride;
      Update(reduction, y.data<T>()[offset], *update++);
      walker.Next();
    }
  });
  return {y};
}

void ScatterND::VisitAttrs(AttrVisitor& visitor) { visitor.Enum("reduction", reduction, kScatterReductionNames); }

std::vector<TensorType> ScatterND::Infer(std::span<const InferInput> inputs) const {
  CheckOperands(kName, inputs);
  const Shape *x = KnownShape(inputs, 0), *indices = KnownShape(inputs, 1);
  if (x && indices) {
    if (indices->empty() || indices->back() > static_cast<int64_t>(x->size())) {
      ThrowInvalid(
          {.what = "ScatterND: bad indices", .got = ToString(*indices), .expected = "indices into " + ToString(*x)});
    }
    Shape updates(indices->begin(), indices->end() - 1);
    updates.insert(updates.end(), x->begin() + indices->back(), x->end());
    CheckShape(kName, inputs, 2, updates);
  }
  return {TypeOfFirst(inputs)};
}

std::vector<Tensor> ScatterND::Evaluate(std::span<const Tensor> inputs) const {
  InferTensors(*this, inputs);
  Tensor y = CopyOf(inputs[0]);
  const int64_t depth = inputs[1].shape().back();
  const std::vector<int64_t> strides = ContiguousStrides(y.shape());
  const std::vector<int64_t> indices = inputs[1].AsInts();
  const int64_t row = ElemCount({y.shape().begin() + depth, y.shape().end()});
  const int64_t rows = row == 0 ? 0 : inputs[2].elems() / row;
  DispatchDType(y.dtype(), [&]<class T>() {
    const T* update = inputs[2].data<T>();
    for (int64_t r = 0; r < rows; ++r) {
      int64_t offset = 0;
      for (int64_t d = 0; d < depth; ++d)
        offset += CheckedIndex(kName, indices[r * depth + d], y.shape()[d]) * strides[d];
      for (int64_t i = 0; i < row; ++i) Update(reduction, y.data<T>()[offset + i], *update++);
    }
  });
  return {y};
}

}  // namespace tenon
