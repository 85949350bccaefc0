#include "ops/norm.h"

#include <algorithm>
#include <cmath>

#include "ops/operands.h"

namespace tenon {
namespace {

/// x is [N, C, ...] of floats; the operands from 1 on are [C].
void CheckChannels(std::string_view op, std::span<const InferInput> inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) CheckFloat(op, inputs, i);
  if (!inputs[0].type->shape) return;
  const Shape& x = *inputs[0].type->shape;
  if (x.size() < 2)
    ThrowInvalid({.what = fmt::format("{}: wrong rank", op), .got = ToString(x), .expected = "N x C x ..."});
  for (size_t i = 1; i < inputs.size(); ++i) CheckShape(op, inputs, i, {x[1]});
}

struct Moments {
  double mean = 0, variance = 0;
};

/// Two passes: no cancellation.
Moments MomentsOf(const double* data, int64_t count) {
  Moments moments;
  for (int64_t i = 0; i < count; ++i) moments.mean += data[i];
  moments.mean /= static_cast<double>(count);
  for (int64_t i = 0; i < count; ++i) moments.variance += (data[i] - moments.mean) * (data[i] - moments.mean);
  moments.variance /= static_cast<double>(count);
  return moments;
}

}  // namespace

void BatchNorm::VisitAttrs(AttrVisitor& visitor) { visitor.Float("epsilon", epsilon); }

std::vector<TensorType> BatchNorm::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 5, 5);
  CheckChannels(kName, inputs);
  return {*inputs[0].type};
}

std::vector<Tensor> BatchNorm::Evaluate(std::span<const Tensor> inputs) const {
  InferTensors(*this, inputs);
  const Tensor x = inputs[0].CastTo(DType::kFloat64);
  Tensor y(DType::kFloat64, x.shape());
  if (y.elems() == 0) return {inputs[0]};
  const std::vector<double> scale = ToDoubles(inputs[1]), bias = ToDoubles(inputs[2]), mean = ToDoubles(inputs[3]),
                            variance = ToDoubles(inputs[4]);
  const AxisSplit split = SplitAtAxis(x.shape(), 1);
  for (int64_t row = 0, i = 0; row < split.outer * split.size; ++row) {
    const int64_t c = row % split.size;
    const double factor = scale[c] / std::sqrt(variance[c] + epsilon);
    for (const int64_t end = i + split.inner; i < end; ++i)
      y.data<double>()[i] = (x.data<double>()[i] - mean[c]) * factor + bias[c];
  }
  return {y.CastTo(inputs[0].dtype())};
}

void GroupNorm::VisitAttrs(AttrVisitor& visitor) {
  visitor.Int("groups", groups);
  visitor.Float("epsilon", epsilon);
}

std::vector<TensorType> GroupNorm::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 3, 3);
  CheckChannels(kName, inputs);
  if (groups < 1) ThrowInvalid("GroupNorm: {} groups", groups);
  if (const auto& shape = inputs[0].type->shape; shape && shape->at(1) % groups != 0) {
    ThrowInvalid("GroupNorm: {} channels don't divide into {} groups", shape->at(1), groups);
  }
  return {*inputs[0].type};
}

std::vector<Tensor> GroupNorm::Evaluate(std::span<const Tensor> inputs) const {
  InferTensors(*this, inputs);
  const Tensor x = inputs[0].CastTo(DType::kFloat64);
  Tensor y(DType::kFloat64, x.shape());
  if (y.elems() == 0) return {inputs[0]};
  const std::vector<double> scale = ToDoubles(inputs[1]), bias = ToDoubles(inputs[2]);
  const AxisSplit split = SplitAtAxis(x.shape(), 1);
  const int64_t group_size = split.size / groups * split.inner;
  for (int64_t g = 0; g < split.outer * groups; ++g) {
    const Moments moments = MomentsOf(x.data<double>() + g * group_size, group_size);
    const double inverse = 1 / std::sqrt(moments.variance + epsilon);
    for (int64_t i = g * group_size; i < (g + 1) * group_size; ++i) {
      const int64_t c = i / split.inner % split.size;
      y.data<double>()[i] = (x.data<double>()[i] - moments.mean) * inverse * scale[c] + bias[c];
    }
  }
  return {y.CastTo(inputs[0].dtype())};
}

void Lrn::VisitAttrs(AttrVisitor& visitor) {
  visitor.Int("size", size);
  visitor.Float("alpha", alpha);
  visitor.Float("beta", beta);
  visitor.Float("bias", bias);
}

std::vector<TensorType> Lrn::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 1, 1);
  CheckChannels(kName, inputs);
  if (size < 1) ThrowInvalid("Lrn: size {}", size);
  return {*inputs[0].type};
}

std::vector<Tensor> Lrn::Evaluate(std::span<const Tensor> inputs) const {
  InferTensors(*this, inputs);
  const Tensor x = inputs[0].CastTo(DType::kFloat64);
  Tensor y(DType::kFloat64, x.shape());
  if (y.elems() == 0) return {inputs[0]};
  const AxisSplit split = SplitAtAxis(x.shape(), 1);
  for (int64_t i = 0; i < y.elems(); ++i) {
    const int64_t c = i / split.inner % split.size;
    const double* own = x.data<double>() + i;
    const int64_t before = std::min((size - 1) / 2, c), after = std::min(size / 2, split.size - 1 - c);
    double squares = 0;
    for (int64_t k = -before; k <= after; ++k) squares += own[k * split.inner] * own[k * split.inner];
    y.data<double>()[i] = *own / std::pow(bias + alpha / static_cast<double>(size) * squares, beta);
  }
  return {y.CastTo(inputs[0].dtype())};
}

void LayerNorm::VisitAttrs(AttrVisitor& visitor) {
  visitor.Int("axis", axis);
  visitor.Float("epsilon", epsilon);
}

std::vector<TensorType> LayerNorm::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 2, 3);
  for (size_t i = 0; i < inputs.size(); ++i) CheckFloat(kName, inputs, i);
  TensorType moments{DType::kFloat32, std::nullopt};
  if (const auto& shape = inputs[0].type->shape) {
    const int64_t first = NormalizeAxis(kName, axis, static_cast<int64_t>(shape->size()));
    moments.shape = *shape;
    std::fill(moments.shape->begin() + first, moments.shape->end(), 1);
    for (size_t i = 1; i < inputs.size(); ++i) {
      if (IsAbsent(inputs, i) || !inputs[i].type->shape || BroadcastShapes(*inputs[i].type->shape, *shape) == *shape)
        continue;
      ThrowInvalid({.what = "LayerNorm: scale or bias don't broadcast",
                    .got = ToString(*inputs[i].type->shape),
                    .expected = ToString(*shape)});
    }
  }
  return {*inputs[0].type, moments, moments};
}

std::vector<Tensor> LayerNorm::Evaluate(std::span<const Tensor> inputs) const {
  const std::vector<TensorType> types = InferTensors(*this, inputs);
  const Tensor x = inputs[0].CastTo(DType::kFloat64);
  const Tensor bias_operand = OperandOrNull(inputs, 2);
  const Tensor scale = inputs[1].CastTo(DType::kFloat64);
  const Tensor bias = (bias_operand.is_null() ? Tensor(DType::kFloat32, {}) : bias_operand).CastTo(DType::kFloat64);
  Tensor y(DType::kFloat64, x.shape()), means(DType::kFloat64, *types[1].shape),
      inverses(DType::kFloat64, *types[2].shape);
  const int64_t size = means.elems() == 0 ? 0 : x.elems() / means.elems();
  for (int64_t row = 0; row < means.elems(); ++row) {
    const Moments moments = MomentsOf(x.data<double>() + row * size, size);
    means.data<double>()[row] = moments.mean;
    inverses.data<double>()[row] = 1 / std::sqrt(moments.variance + epsilon);
  }
  const BroadcastRows<2> rows(x.shape(), {scale.shape(), bias.shape()});
  rows.ForEach([&](int64_t at, const std::array<int64_t, 2>& offsets) {
    for (int64_t k = 0; k < rows.row; ++k) {
      const int64_t i = at + k, row = i / size;
      y.data<double>()[i] = (x.data<double>()[i] - means.data<double>()[row]) * inverses.data<double>()[row] *
                                scale.data<double>()[offsets[0] + k * rows.row_strides[0]] +
                            bias.data<double>()[offsets[1] + k * rows.row_strides[1]];
    }
  });
  return {y.CastTo(inputs[0].dtype()), means.CastTo(types[1].dtype), inverses.CastTo(types[2].dtype)};
}

}  // namespace tenon
