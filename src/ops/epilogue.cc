#include "ops/epilogue.h"

#include <cmath>

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
  quantization.VisitAttrs(visitor);
}

void Epilogue::CheckTypes(std::string_view op, std::span<const InferInput> inputs) const {
  CheckFloat(op, inputs, 2);
  if (!is_int8()) {
    if (!IsFloat(compute)) ThrowInvalid("{}: compute type {} is not a float", op, ToString(compute));
    for (const size_t i : {0, 1, 3}) CheckFloat(op, inputs, i);
    if (!IsAbsent(inputs, 4)) ThrowInvalid("{}: weight scales need compute=i8", op);
    if (out == DType::kUInt8) quantization.Check(op);
    CheckOut(op);
    return;
  }
  quantization.Check(op);
  CheckDType(op, inputs, 0, {DType::kUInt8});
  CheckDType(op, inputs, 1, {DType::kInt8});
  CheckDType(op, inputs, 3, {DType::kFloat32, DType::kBFloat16, DType::kFloat16, DType::kUInt8});
  CheckDType(op, inputs, 4, {DType::kFloat32});
  if (IsAbsent(inputs, 4)) ThrowInvalid("{}: compute=i8 without weight scales (operand 4)", op);
  CheckOut(op);
}

void Epilogue::CheckFactors(std::string_view op, std::span<const InferInput> inputs) const {
  if (!IsAbsent(inputs, 5) && (op != "Conv" || out != DType::kUInt8))
    ThrowInvalid("{}: factors (operand 5) are of a Conv that stores u8", op);
  CheckDType(op, inputs, 5, {DType::kFloat32});
}

void Epilogue::CheckOut(std::string_view op) const {
  if (out != DType::kUInt8 && !IsFloat(out)) ThrowInvalid("{}: output type {}", op, ToString(out));
}

void Epilogue::CheckOperands(std::string_view op, std::span<const InferInput> inputs, std::optional<int64_t> channels,
                             const std::optional<Shape>& output) const {
  CheckTypes(op, inputs);
  CheckFactors(op, inputs);
  if (HasParameters(post)) {
    ThrowInvalid("{}: activation {} has parameters and can't follow the residual", op,
                 kActivationNames[static_cast<size_t>(post)]);
  }
  for (const size_t i : {2, 4, 5}) {
    if (channels) CheckShape(op, inputs, i, {*channels});
  }
  if (output) CheckShape(op, inputs, 3, *output);
}

Tensor Epilogue::RoundX(const Tensor& x) const {
  Tensor rounded = (is_int8() ? x : x.CastTo(compute)).CastTo(DType::kFloat64);
  if (!is_int8()) return rounded;
  double* data = rounded.data<double>();
  for (int64_t i = 0; i < rounded.elems(); ++i) data[i] -= static_cast<double>(quantization.x.zero_point);
  return rounded;
}

Tensor Epilogue::Apply(const Tensor& sums, int64_t channel_axis, std::span<const Tensor> operands) const {
  if (is_int8()) return ApplyInt8(sums, channel_axis, operands);
  return ApplyFloat(sums, channel_axis, operands);
}

float Epilogue::StepsOf(std::span<const Tensor> operands, int64_t channel) const {
  const Tensor& factors = OperandOrNull(operands, 5);
  return factors.is_null() ? 1.0f / quantization.y.scale : StepsPerUnit(quantization.y, factors.data<float>()[channel]);
}

Tensor Epilogue::ApplyInt8(const Tensor& sums, int64_t channel_axis, std::span<const Tensor> operands) const {
  if (sums.elems() == 0) return Tensor(out, sums.shape());
  const AxisSplit split = SplitAtAxis(sums.shape(), channel_axis);
  const Tensor& bias = OperandOrNull(operands, 2);
  const Tensor& residual = OperandOrNull(operands, 3);
  Tensor y(out == DType::kUInt8 ? out : DType::kFloat32, sums.shape());
  for (int64_t i = 0; i < y.elems(); ++i) {
    const int64_t channel = i / split.inner % split.size;
    const float multiplier = quantization.x.scale * operands[4].data<float>()[channel];
    const float addend = bias.is_null() ? 0.0f : static_cast<float>(bias.AsDouble(channel));
    const float r = std::fma(static_cast<float>(sums.data<double>()[i]), multiplier, addend);
    auto value = static_cast<float>(ApplyActivation(activation, r, alpha, beta));
    if (!residual.is_null()) {
      value += residual.dtype() == DType::kUInt8 ? quantization.residual.Dequantize(residual.AsInt(i))
                                                 : static_cast<float>(residual.AsDouble(i));
    }
    value = static_cast<float>(ApplyActivation(post, value, 0, 0));
    if (out == DType::kUInt8)
      y.data<uint8_t>()[i] = quantization.y.QuantizeToU8(value, StepsOf(operands, channel));
    else
      y.data<float>()[i] = value;
  }
  return y.CastTo(out);
}

Tensor Epilogue::ApplyFloat(const Tensor& sums, int64_t channel_axis, std::span<const Tensor> operands) const {
  const Tensor &bias = OperandOrNull(operands, 2), &residual = OperandOrNull(operands, 3);
  Tensor y(DType::kFloat64, sums.shape());
  if (y.elems() == 0) return Tensor(out, y.shape());
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
  if (out != DType::kUInt8) return y.CastTo(out);
  Tensor bytes(out, y.shape());
  for (int64_t i = 0; i < y.elems(); ++i) {
    bytes.data<uint8_t>()[i] =
        quantization.y.QuantizeToU8(static_cast<float>(out_data[i]), StepsOf(operands, i / split.inner % split.size));
  }
  return bytes;
}

}  // namespace tenon
