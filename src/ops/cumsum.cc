#include "ops/cumsum.h"

#include "ops/operands.h"

namespace tenon {
namespace {

double Plus(double a, double b) { return a + b; }
int64_t Plus(int64_t a, int64_t b) { return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b)); }

template <class T>
Tensor Sums(const CumSum& op, const Tensor& x, const AxisSplit& split) {
  Tensor y(x.dtype(), x.shape());
  if (y.elems() == 0) return y;
  for (int64_t line = 0; line < split.outer * split.inner; ++line) {
    const int64_t start = line / split.inner * split.size * split.inner + line % split.inner;
    T sum = 0;
    for (int64_t k = 0; k < split.size; ++k) {
      const int64_t at = start + (op.reverse ? split.size - 1 - k : k) * split.inner;
      const T before = sum;
      sum = Plus(sum, x.data<T>()[at]);
      y.data<T>()[at] = op.exclusive ? before : sum;
    }
  }
  return y;
}

}  // namespace

void CumSum::VisitAttrs(AttrVisitor& visitor) {
  visitor.Bool("exclusive", exclusive);
  visitor.Bool("reverse", reverse);
}

std::vector<TensorType> CumSum::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 2, 2);
  if (inputs[0].type->dtype == DType::kBool) ThrowInvalid("CumSum doesn't take bool");
  CheckDType(kName, inputs, 1, {DType::kInt32, DType::kInt64});
  if (inputs[1].type->shape && ElemCount(*inputs[1].type->shape) != 1)
    ThrowInvalid("CumSum: the axis operand must be one number");
  if (inputs[0].type->shape && inputs[1].value)
    NormalizeAxis(kName, inputs[1].value->AsInt(0), static_cast<int64_t>(inputs[0].type->shape->size()));
  return {*inputs[0].type};
}

std::vector<Tensor> CumSum::Evaluate(std::span<const Tensor> inputs) const {
  InferTensors(*this, inputs);
  const Tensor& x = inputs[0];
  const AxisSplit split = SplitAtAxis(x.shape(), NormalizeAxis(kName, inputs[1].AsInt(0), x.rank()));
  if (IsFloat(x.dtype())) return {Sums<double>(*this, x.CastTo(DType::kFloat64), split).CastTo(x.dtype())};
  return {Sums<int64_t>(*this, x.CastTo(DType::kInt64), split).CastTo(x.dtype())};
}

}  // namespace tenon
