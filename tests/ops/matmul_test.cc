#include "ops/matmul.h"

#include "ops/op_testing.h"

namespace tenon {
namespace {

TEST(MatMulTest, Matrices) {
  const Tensor a = Floats({2, 3}, {1, 2, 3, 4, 5, 6}), b = Floats({3, 2}, {1, 10, 100, 1, 10, 100});
  ExpectTensor(Eval(MatMul(), {a, b}), Floats({2, 2}, {231, 312, 564, 645}));
  ExpectTensor(Eval(MatMul(), {a, b, Floats({2}, {1, 2})}), Floats({2, 2}, {232, 314, 565, 647}));
}

TEST(MatMulTest, VectorsAndBatches) {
  const Tensor v = Floats({2}, {1, 2});
  ExpectTensor(Eval(MatMul(), {v, v}), Floats({}, {5}));
  ExpectTensor(Eval(MatMul(), {Floats({3, 2}, {1, 2, 3, 4, 5, 6}), v}), Floats({3}, {5, 11, 17}));
  ExpectTensor(Eval(MatMul(), {v, Floats({1, 2, 2}, {1, 2, 3, 4})}), Floats({1, 2}, {7, 10}));
  const Tensor a = Floats({2, 1, 1, 2}, {1, 2, 3, 4}), b = Floats({3, 2, 1}, {1, 0, 0, 1, 1, 1});
  ExpectTensor(Eval(MatMul(), {a, b}), Floats({2, 3, 1, 1}, {1, 2, 3, 3, 4, 7}));
}

TEST(MatMulTest, EmptySumIsZero) {
  ExpectTensor(Eval(MatMul(), {Floats({1, 0}, {}), Floats({0, 2}, {})}), Floats({1, 2}, {0, 0}));
}

TEST(MatMulTest, RefusesWhatDoesNotFit) {
  const Tensor a = Floats({2, 2}, {1, 2, 3, 4}), v = Floats({2}, {1, 2});
  ExpectRefused(MatMul(), {a, Floats({3, 1}, {1, 2, 3})});
  ExpectRefused(MatMul(), {a, Floats({}, {1})});
  ExpectRefused(MatMul(), {a, v, v});
  ExpectRefused(MatMul(), {a, a, Floats({3}, {1, 2, 3})});
  ExpectRefused(MatMul(), {a, a, Tensor(), v});
  ExpectRefused(MatMul(), {Floats({2, 1, 1}, {1, 2}), Floats({3, 1, 1}, {1, 2, 3})});
  ExpectRefused(MatMul(), {Longs({1, 1}, {1}), Longs({1, 1}, {1})});
}

TEST(AttentionTest, UniformScoresAverage) {
  const Tensor q = Floats({1, 2}, {0, 0}), k = Floats({2, 3}, {1, 2, 3, 4, 5, 6}),
               v = Floats({3, 2}, {1, 10, 2, 20, 3, 30});
  ExpectTensor(Eval(Attention(), {q, k, v}), Floats({1, 2}, {2, 20}), 1e-6);
  const float low = -1e9f;
  ExpectTensor(Eval(Attention(), {q, k, v, Floats({3}, {low, 0, low})}), Floats({1, 2}, {2, 20}), 1e-6);
  ExpectTensor(Eval(Attention(), {q, k, v, Floats({1, 3}, {0, low, low})}), Floats({1, 2}, {1, 10}), 1e-6);
}

TEST(AttentionTest, ScalesScores) {
  Attention attention;
  attention.scale = 0.5f;
  // Scores 1 and 0: weights e/(e+1) and 1/(e+1).
  const Tensor y = Eval(attention, {Floats({1, 1}, {2}), Floats({1, 2}, {1, 0}), Floats({2, 1}, {1, 0})});
  ExpectTensor(y, Floats({1, 1}, {0.7310586f}), 1e-6);
}

TEST(AttentionTest, RefusesWhatDoesNotFit) {
  const Tensor q = Floats({1, 2}, {0, 0}), k = Floats({2, 1}, {1, 2});
  ExpectRefused(Attention(), {q, k, q, Floats({2, 1}, {0, 0})});
  ExpectRefused(Attention(), {q, q, q});
  ExpectRefused(Attention(), {q, k});
  ExpectRefused(Attention(), {q, k, Floats({2, 1}, {0, 0})});
}

}  // namespace
}  // namespace tenon
