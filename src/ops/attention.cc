#include "ops/matmul.h"
#include "ops/matmul_reference.h"
#include "ops/operands.h"

namespace tenon {
namespace {

struct AttentionShapes {
  Shape scores;  ///< [..., M, L], batch dimensions of q and k broadcast
  Shape out;     ///< [..., M, E]
};

Shape BatchOf(const Shape& shape) { return {shape.begin(), shape.end() - 2}; }

AttentionShapes ResolveShapes(const Shape& q, const Shape& k, const Shape& v) {
  const bool fits =
      q.size() >= 2 && k.size() >= 2 && v.size() >= 2 && q.back() == k[k.size() - 2] && k.back() == v[v.size() - 2];
  if (!fits) {
    ThrowInvalid({.what = "Attention: operands don't fit",
                  .got = fmt::format("{}, {}, {}", ToString(q), ToString(k), ToString(v)),
                  .expected = "... x M x D, ... x D x L, ... x L x E"});
  }
  const Shape batch = BroadcastShapes(BatchOf(q), BatchOf(k));
  AttentionShapes shapes{batch, BroadcastShapes(batch, BatchOf(v))};
  shapes.scores.insert(shapes.scores.end(), {q[q.size() - 2], k.back()});
  shapes.out.insert(shapes.out.end(), {q[q.size() - 2], v.back()});
  ElemCount(shapes.scores);  // throw when they overflow
  ElemCount(shapes.out);
  return shapes;
}

void AddMask(Tensor& scores, double scale, const Tensor& mask) {
  double* data = scores.data<double>();
  for (int64_t i = 0; i < scores.elems(); ++i) data[i] *= scale;
  if (mask.is_null()) return;
  const Tensor wide = mask.CastTo(DType::kFloat64);
  const BroadcastRows<1> rows(scores.shape(), {mask.shape()});
  rows.ForEach([&](int64_t at, const std::array<int64_t, 1>& offsets) {
    for (int64_t i = 0; i < rows.row; ++i) data[at + i] += wide.data<double>()[offsets[0] + i * rows.row_strides[0]];
  });
}

}  // namespace

void Attention::VisitAttrs(AttrVisitor& visitor) {
  visitor.Float("scale", scale);
  visitor.Type("compute", compute);
  visitor.Type("out", out);
}

std::vector<TensorType> Attention::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 3, 4);
  for (size_t i = 0; i < inputs.size(); ++i) CheckFloat(kName, inputs, i);
  if (!IsFloat(compute)) ThrowInvalid("Attention: compute type {} is not a float", ToString(compute));
  TensorType result{out, std::nullopt};
  if (!inputs[0].type->shape || !inputs[1].type->shape || !inputs[2].type->shape) return {result};
  const AttentionShapes shapes = ResolveShapes(*inputs[0].type->shape, *inputs[1].type->shape, *inputs[2].type->shape);
  if (!IsAbsent(inputs, 3) && inputs[3].type->shape &&
      BroadcastShapes(*inputs[3].type->shape, shapes.scores) != shapes.scores) {
    ThrowInvalid({.what = "Attention: the mask doesn't broadcast",
                  .got = ToString(*inputs[3].type->shape),
                  .expected = ToString(shapes.scores)});
  }
  result.shape = shapes.out;
  return {result};
}

std::vector<Tensor> Attention::Evaluate(std::span<const Tensor> inputs) const {
  InferTensors(*this, inputs);
  const auto round = [&](const Tensor& operand) { return operand.CastTo(compute).CastTo(DType::kFloat64); };
  Tensor scores = BatchedProduct(round(inputs[0]), round(inputs[1]));
  AddMask(scores, scale, OperandOrNull(inputs, 3));
  const int64_t last = scores.shape().back();
  SoftmaxInPlace(scores.data<double>(), last == 0 ? 0 : scores.elems() / last, last, 1, SoftmaxForm::kProbability);
  return {BatchedProduct(scores, round(inputs[2])).CastTo(out)};
}

Cost Attention::EstimateCost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const {
  Cost cost = Op::EstimateCost(inputs, outputs);
  if (inputs.size() < 3 || outputs.empty() || !inputs[0].shape || !inputs[1].shape || !inputs[2].shape ||
      !outputs[0].shape)
    return cost;
  const AttentionShapes shapes = ResolveShapes(*inputs[0].shape, *inputs[1].shape, *inputs[2].shape);
  const double scores = static_cast<double>(ElemCount(shapes.scores));
  // Two products, and about five operations per score for the softmax.
  cost.flops = 2 * scores * static_cast<double>(inputs[0].shape->back()) + 5 * scores +
               2 * static_cast<double>(ElemCount(shapes.out)) * static_cast<double>(inputs[1].shape->back());
  return cost;
}

}  // namespace tenon
