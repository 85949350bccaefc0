#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/matmul_reference.h"
#include "ops/operands.h"
#include "ops/reduce.h"

namespace tenon {

void SoftmaxInPlace(double* data, int64_t outer, int64_t size, int64_t inner, SoftmaxForm form) {
  for (int64_t o = 0; o < outer; ++o, data += size * inner) {
    for (int64_t i = 0; i < inner; ++i) {
      double* line = data + i;
      double max = -std::numeric_limits<double>::infinity(), sum = 0;
      for (int64_t k = 0; k < size; ++k) max = std::max(max, line[k * inner]);
      for (int64_t k = 0; k < size; ++k) sum += std::exp(line[k * inner] - max);
      for (int64_t k = 0; k < size; ++k) {
        const double shifted = line[k * inner] - max;
        line[k * inner] = form == SoftmaxForm::kLogProbability ? shifted - std::log(sum) : std::exp(shifted) / sum;
      }
    }
  }
}

void Softmax::VisitAttrs(AttrVisitor& visitor) {
  visitor.Int("axis", axis);
  visitor.Bool("log", log);
}

std::vector<TensorType> Softmax::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 1, 1);
  CheckFloat(kName, inputs, 0);
  // A scalar is taken as a vector of one element.
  if (const auto& shape = inputs[0].type->shape)
    NormalizeAxis(kName, axis, std::max<int64_t>(static_cast<int64_t>(shape->size()), 1));
  return {*inputs[0].type};
}

std::vector<Tensor> Softmax::Evaluate(std::span<const Tensor> inputs) const {
  InferTensors(*this, inputs);
  const Tensor& x = inputs[0];
  Tensor y(DType::kFloat64, x.shape());
  if (x.elems() == 0) return {x};
  std::ranges::copy(x.CastTo(DType::kFloat64).values<double>(), y.data<double>());
  const AxisSplit split = x.rank() == 0 ? AxisSplit{} : SplitAtAxis(x.shape(), NormalizeAxis(kName, axis, x.rank()));
  SoftmaxInPlace(y.data<double>(), split.outer, split.size, split.inner,
                 log ? SoftmaxForm::kLogProbability : SoftmaxForm::kProbability);
  return {y.CastTo(x.dtype())};
}

}  // namespace tenon
