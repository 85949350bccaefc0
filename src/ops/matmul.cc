#include "ops/matmul.h"

#include <algorithm>

#include "ops/matmul_reference.h"
#include "ops/operands.h"

namespace tenon {
namespace {

/// Shapes of a product with 1-D operands made matrices, as numpy.matmul does.
struct MatMulShapes {
  Shape a, b;  ///< of rank >= 2
  Shape out;   ///< as MatMul gives it: without the dimensions that were added
};

MatMulShapes ResolveShapes(const Shape& a, const Shape& b) {
  MatMulShapes shapes{a, b, {}};
  if (a.size() == 1) shapes.a.insert(shapes.a.begin(), 1);
  if (b.size() == 1) shapes.b.push_back(1);
  if (a.empty() || b.empty() || shapes.a.back() != shapes.b[shapes.b.size() - 2]) {
    ThrowInvalid({.what = "MatMul: operands don't fit",
                  .got = ToString(a) + " and " + ToString(b),
                  .expected = "... x M x K and ... x K x N"});
  }
  shapes.out = BroadcastShapes({shapes.a.begin(), shapes.a.end() - 2}, {shapes.b.begin(), shapes.b.end() - 2});
  if (a.size() > 1) shapes.out.push_back(shapes.a[shapes.a.size() - 2]);
  if (b.size() > 1) shapes.out.push_back(shapes.b.back());
  ElemCount(shapes.out);  // throws when it overflows
  return shapes;
}

}  // namespace

void AccumulateProduct(int64_t m, int64_t n, int64_t k, const double* a, const double* b, double* c) {
  for (int64_t i = 0; i < m; ++i, c += n) {
    for (int64_t p = 0; p < k; ++p) {
      const double factor = a[i * k + p];
      const double* row = b + p * n;
      for (int64_t j = 0; j < n; ++j) c[j] += factor * row[j];
    }
  }
}

Tensor BatchedProduct(const Tensor& a, const Tensor& b) {
  const Shape batch_a(a.shape().begin(), a.shape().end() - 2), batch_b(b.shape().begin(), b.shape().end() - 2);
  const Shape batch = BroadcastShapes(batch_a, batch_b);
  const int64_t m = a.shape()[batch_a.size()], k = a.shape().back(), n = b.shape().back();
  Shape shape = batch;
  shape.insert(shape.end(), {m, n});
  Tensor c(DType::kFloat64, shape);
  if (c.elems() == 0) return c;
  const BroadcastRows<2> rows(batch, {batch_a, batch_b});
  const int64_t a_step = rows.row_strides[0], b_step = rows.row_strides[1];
  rows.ForEach([&](int64_t at, const std::array<int64_t, 2>& offsets) {
    for (int64_t i = 0; i < rows.row; ++i) {
      AccumulateProduct(m, n, k, a.data<double>() + (offsets[0] + i * a_step) * m * k,
                        b.data<double>() + (offsets[1] + i * b_step) * k * n, c.data<double>() + (at + i) * m * n);
    }
  });
  return c;
}

void MatMul::VisitAttrs(AttrVisitor& visitor) { epilogue.VisitAttrs(visitor); }

std::vector<TensorType> MatMul::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 2, 5);
  TensorType out{epilogue.out, std::nullopt};
  std::optional<int64_t> channels;
  if (inputs[1].type->shape && !inputs[1].type->shape->empty()) {
    if (inputs[1].type->shape->size() == 1 && !(IsAbsent(inputs, 2) && IsAbsent(inputs, 4)))
      ThrowInvalid("MatMul: a bias or weight scales need a second operand of rank 2 or more");
    channels = inputs[1].type->shape->back();
  }
  if (inputs[0].type->shape && inputs[1].type->shape)
    out.shape = ResolveShapes(*inputs[0].type->shape, *inputs[1].type->shape).out;
  epilogue.CheckOperands(kName, inputs, channels, out.shape);
  return {out};
}

std::vector<Tensor> MatMul::Evaluate(std::span<const Tensor> inputs) const {
  InferTensors(*this, inputs);
  const MatMulShapes shapes = ResolveShapes(inputs[0].shape(), inputs[1].shape());
  const Tensor product = BatchedProduct(epilogue.RoundX(inputs[0]).Reshaped(shapes.a),
                                        epilogue.RoundWeights(inputs[1]).Reshaped(shapes.b));
  const int64_t channel_axis = std::max<int64_t>(static_cast<int64_t>(shapes.out.size()) - 1, 0);
  return {epilogue.Apply(product.Reshaped(shapes.out), channel_axis, inputs)};
}

Cost MatMul::EstimateCost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const {
  Cost cost = Op::EstimateCost(inputs, outputs);
  if (inputs.empty() || outputs.empty() || !inputs[0].shape || inputs[0].shape->empty() || !outputs[0].shape)
    return cost;
  cost.flops = 2.0 * static_cast<double>(ElemCount(*outputs[0].shape)) * static_cast<double>(inputs[0].shape->back());
  return cost;
}

}  // namespace tenon
