#include "ops/epilogue.h"

#include "ops/operands.h"

namespace tenon {
namespace {

bool HasParameters(Activation activation) {
  switch (activation) {
    case Activation::kLeakyRelu:
    case Activation::kClip:
    case Activation::kHardSigmoid:
    case Activation::kElu:
      return true;
    default:
      return false;
  }
}

}  // namespace

void Epilogue::VisitAttrs(AttrVisitor& visitor) {
  visitor.Enum("activation", activation, kActivationNames);
  visitor.Float("alpha", alpha);
  visitor.Float("beta", beta);
  visitor.Enum("post", post, kActivationNames);
  visitor.Type("compute", compute);
  visitor.Type("out", out);
}

void Epilogue::CheckOperands(std::string_view op, std::span<const InferInput> inputs, std::optional<int64_t> channels,
                             const std::optional<Shape>& output) const {
  for (size_t i = 0; i < inputs.size(); ++i) CheckFloat(op, inputs, i);
  if (!IsFloat(compute)) ThrowInvalid("{}: compute type {} is not a float", op, ToString(compute));
  if (HasParameters(post)) {
    ThrowInvalid("{}: activation {} has parameters and can't follow the residual", op,
                 kActivationNames[static_cast<size_t>(post)]);
  }
  if (channels) CheckShape(op, inputs, 2, {*channels});
  if (output) CheckShape(op, inputs, 3, *output);
}

Tensor Epilogue::Apply(const Tensor& sums, const Tensor& bias, int64_t channel_axis, const Tensor& residual) const {
  Tensor y(DType::kFloat64, sums.shape());
  if (y.elems() == 0) return y.CastTo(out);
  const AxisSplit split = channel_axis < sums.rank() ? SplitAtAxis(sums.shape(), channel_axis) : AxisSplit{};
  const std::vector<double> channel_bias = bias.is_null() ? std::vector<double>(split.size, 0.0) : ToDoubles(bias);
  const Tensor addend = residual.is_null() ? residual : residual.CastTo(DType::kFloat64);
  const double* in = sums.data<double>();
  const double* add = addend.is_null() ? nullptr : addend.data<double>();
  double* out_data = y.data<double>();
  for (int64_t row = 0, i = 0; row < split.outer * split.size; ++row) {
    const double row_bias = channel_bias[row % split.size];
    for (const int64_t end = i + split.inner; i < end; ++i) {
      const double value = ApplyActivation(activation, in[i] + row_bias, alpha, beta) + (add ? add[i] : 0);
      out_data[i] = ApplyActivation(post, value, 0, 0);
    }
  }
  return y.CastTo(out);
}

}  // namespace tenon
