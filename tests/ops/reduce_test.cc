#include "ops/reduce.h"

#include <cmath>
#include <limits>

#include "ops/op_testing.h"

namespace tenon {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
const Tensor kTable = Floats({2, 3}, {1, -2, 3, 4, 5, -6});

Tensor EvalReduce(ReduceKind kind, const Tensor& x, std::vector<int64_t> axes, bool keep_dims = false) {
  Reduce op;
  op.kind = kind;
  op.keep_dims = keep_dims;
  const Shape shape = {static_cast<int64_t>(axes.size())};
  return Eval(op, {x, Longs(shape, axes)});
}

TEST(ReduceTest, EveryKindAlongRows) {
  const auto expect = [](ReduceKind kind, float a, float b) {
    ExpectTensor(EvalReduce(kind, kTable, {-1}), Floats({2}, {a, b}), 1e-6);
  };
  expect(ReduceKind::kSum, 2, 3);
  expect(ReduceKind::kMean, 2.f / 3, 1);
  expect(ReduceKind::kMax, 3, 5);
  expect(ReduceKind::kMin, -2, -6);
  expect(ReduceKind::kProd, -6, -120);
  expect(ReduceKind::kL1, 6, 15);
  expect(ReduceKind::kL2, std::sqrt(14.f), std::sqrt(77.f));
  expect(ReduceKind::kLogSum, std::log(2.f), std::log(3.f));
  expect(ReduceKind::kLogSumExp, std::log(std::exp(1.f) + std::exp(-2.f) + std::exp(3.f)),
         std::log(std::exp(4.f) + std::exp(5.f) + std::exp(-6.f)));
  expect(ReduceKind::kSumSquare, 14, 77);
}

TEST(ReduceTest, AxesForms) {
  ExpectTensor(EvalReduce(ReduceKind::kSum, kTable, {0}, true), Floats({1, 3}, {5, 3, -3}));
  ExpectTensor(EvalReduce(ReduceKind::kSum, kTable, {1, 0}), Floats({}, {5}));
  ExpectTensor(Eval(Reduce(), {kTable}), Floats({1, 1}, {5}));
  Reduce noop;
  noop.kind = ReduceKind::kSumSquare;
  noop.noop_with_empty_axes = true;
  ExpectTensor(Eval(noop, {kTable}), Floats({2, 3}, {1, 4, 9, 16, 25, 36}));
}

TEST(ReduceTest, EmptySets) {
  const Tensor empty = Floats({2, 0}, {});
  ExpectTensor(EvalReduce(ReduceKind::kSum, empty, {1}), Floats({2}, {0, 0}));
  ExpectTensor(EvalReduce(ReduceKind::kProd, empty, {1}), Floats({2}, {1, 1}));
  ExpectTensor(EvalReduce(ReduceKind::kMax, empty, {1}), Floats({2}, {-kInf, -kInf}));
  ExpectTensor(EvalReduce(ReduceKind::kLogSumExp, empty, {1}), Floats({2}, {-kInf, -kInf}));
  EXPECT_EQ(EvalReduce(ReduceKind::kMean, Tensor(DType::kInt32, {1, 0}), {1}).AsInt(0), 0);
  EXPECT_EQ(EvalReduce(ReduceKind::kSum, empty, {0}).elems(), 0);
}

TEST(ReduceTest, LogSumExpDoesNotOverflow) {
  ExpectTensor(EvalReduce(ReduceKind::kLogSumExp, Floats({2}, {1000, 1000}), {0}), Floats({}, {1000.6931f}), 1e-3);
}

TEST(ReduceTest, IntegersAreExact) {
  const int64_t big = (int64_t{1} << 60) + 1;
  EXPECT_EQ(EvalReduce(ReduceKind::kSum, Longs({2}, {big, 2}), {0}).AsInt(0), big + 2);
  EXPECT_EQ(EvalReduce(ReduceKind::kMax, Longs({2}, {big, big - 1}), {0}).AsInt(0), big);
  ExpectTensor(EvalReduce(ReduceKind::kMin, Tensor::Of<bool>({2}, {true, false}), {0}), Tensor::Of<bool>({}, {false}));
}

TEST(ReduceTest, RefusesBadAxes) {
  ExpectRefused(Reduce(), {kTable, Longs({1}, {2})});
  ExpectRefused(Reduce(), {kTable, Longs({1}, {-3})});
  ExpectRefused(Reduce(), {kTable, Longs({2}, {1, -1})});
  ExpectRefused(Reduce(), {kTable, Floats({1}, {0})});
  ExpectRefused(Reduce(), {Tensor::Of<bool>({1}, {true})});
}

TEST(SoftmaxTest, AlongAnyAxis) {
  Softmax softmax;
  softmax.axis = 0;
  const Tensor x = Floats({2, 2}, {0, 1000, 0, 0});
  ExpectTensor(Eval(softmax, {x}), Floats({2, 2}, {0.5, 1, 0.5, 0}), 1e-7);
  softmax.log = true;
  ExpectTensor(Eval(softmax, {x}), Floats({2, 2}, {-0.6931472f, 0, -0.6931472f, -1000}), 1e-6);
  softmax.axis = 2;
  ExpectRefused(softmax, {x});
  ExpectRefused(Softmax(), {Longs({1}, {1})});
  ExpectTensor(Eval(Softmax(), {Floats({}, {3})}), Floats({}, {1}));
}

}  // namespace
}  // namespace tenon
