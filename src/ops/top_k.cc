#include "ops/top_k.h"

#include <algorithm>
#include <numeric>

#include "ops/order.h"
#include "ops/shape_rules.h"

namespace tenon {
namespace {

/// The places of the first k elements in `order`, of elements `stride` apart.
template <class T>
void SelectTop(const T* row, int64_t stride, int64_t k, bool largest, std::vector<int64_t>& order) {
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int64_t a, int64_t b) {
    const T at_a = row[a * stride], at_b = row[b * stride];
    if (TotalLess(at_a, at_b)) return !largest;
    if (TotalLess(at_b, at_a)) return largest;
    return a < b;
  });
}

}  // namespace

void TopK::VisitAttrs(AttrVisitor& visitor) {
  visitor.Int("axis", axis);
  visitor.Bool("largest", largest);
}

std::vector<TensorType> TopK::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 2, 2);
  const DType dtype = inputs[0].type->dtype;
  const auto k = IntOperand(kName, inputs, 1);
  const Shape* x = KnownShape(inputs, 0);
  if (!k || !x) return {UnknownType(dtype), UnknownType(DType::kInt64)};
  Shape shape = *x;
  int64_t& dim = shape[NormalizeAxis(kName, axis, static_cast<int64_t>(x->size()))];
  if (*k < 0 || *k > dim) ThrowInvalid("TopK: {} of {} elements", *k, dim);
  dim = *k;
  return {KnownType(kName, dtype, shape), KnownType(kName, DType::kInt64, shape)};
}

std::vector<Tensor> TopK::Evaluate(std::span<const Tensor> inputs) const {
  std::vector<Tensor> outputs = AllocateOutputs(*this, inputs);
  const Tensor& x = inputs[0];
  const int64_t at = NormalizeAxis(kName, axis, x.rank());
  const AxisSplit split = SplitAtAxis(x.shape(), at);
  const int64_t k = outputs[0].shape()[at];
  std::vector<int64_t> order(static_cast<size_t>(split.size));
  DispatchDType(x.dtype(), [&]<class T>() {
    for (int64_t row = 0; row < split.outer * split.inner; ++row) {
      const int64_t outer = row / split.inner, inner = row % split.inner;
      const T* from = x.data<T>() + outer * split.size * split.inner + inner;
      SelectTop(from, split.inner, k, largest, order);
      for (int64_t i = 0; i < k; ++i) {
        const int64_t to = (outer * k + i) * split.inner + inner;
        outputs[0].data<T>()[to] = from[order[i] * split.inner];
        outputs[1].data<int64_t>()[to] = order[i];
      }
    }
  });
  return outputs;
}

}  // namespace tenon
