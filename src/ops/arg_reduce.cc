#include "ops/arg_reduce.h"

#include <cmath>

#include "ops/operands.h"

namespace tenon {
namespace {

/// `value` takes the place of `best`.
template <class T>
bool Wins(const ArgReduce& op, T value, T best) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(best)) return op.select_last_index && std::isnan(value);
    if (std::isnan(value)) return true;
  }
  if (value == best) return op.select_last_index;
  return op.kind == ArgReduceKind::kMax ? value > best : value < best;
}

template <class T>
void Search(const ArgReduce& op, const Tensor& x, const AxisSplit& split, Tensor& indices) {
  const T* data = x.data<T>();
  int64_t* out = indices.data<int64_t>();
  for (int64_t o = 0; o < split.outer; ++o) {
    for (int64_t i = 0; i < split.inner; ++i) {
      const T* line = data + o * split.size * split.inner + i;
      int64_t best = 0;
      for (int64_t k = 1; k < split.size; ++k) {
        if (Wins(op, line[k * split.inner], line[best * split.inner])) best = k;
      }
      *out++ = best;
    }
  }
}

}  // namespace

void ArgReduce::VisitAttrs(AttrVisitor& visitor) {
  visitor.Enum("kind", kind, kArgReduceNames);
  visitor.Int("axis", axis);
  visitor.Bool("keep_dims", keep_dims);
  visitor.Bool("select_last_index", select_last_index);
}

std::vector<TensorType> ArgReduce::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 1, 1);
  if (inputs[0].type->dtype == DType::kBool) ThrowInvalid("ArgReduce doesn't take bool");
  if (!inputs[0].type->shape) return {{DType::kInt64, std::nullopt}};
  Shape shape = *inputs[0].type->shape;
  const int64_t at = NormalizeAxis(kName, axis, static_cast<int64_t>(shape.size()));
  if (shape[at] == 0) ThrowInvalid("ArgReduce: axis {} has no elements", axis);
  shape[at] = 1;
  if (!keep_dims) shape.erase(shape.begin() + at);
  return {{DType::kInt64, shape}};
}

std::vector<Tensor> ArgReduce::Evaluate(std::span<const Tensor> inputs) const {
  const TensorType out = InferTensors(*this, inputs)[0];
  Tensor indices(DType::kInt64, *out.shape);
  if (indices.elems() == 0) return {indices};
  const AxisSplit split = SplitAtAxis(inputs[0].shape(), NormalizeAxis(kName, axis, inputs[0].rank()));
  if (IsFloat(inputs[0].dtype())) {
    Search<double>(*this, inputs[0].CastTo(DType::kFloat64), split, indices);
  } else {
    Search<int64_t>(*this, inputs[0].CastTo(DType::kInt64), split, indices);
  }
  return {indices};
}

}  // namespace tenon
