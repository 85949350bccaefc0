#include "ops/pointwise.h"

#include <cmath>
#include <limits>

#include "ops/op_testing.h"

namespace tenon {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

Tensor EvalUnary(UnaryKind kind, const Tensor& x, float alpha = 0, float beta = 0) {
  Unary op;
  op.kind = kind;
  op.alpha = alpha;
  op.beta = beta;
  return Eval(op, {x});
}

Tensor EvalBinary(BinaryKind kind, const Tensor& a, const Tensor& b) {
  Binary op;
  op.kind = kind;
  return Eval(op, {a, b});
}

TEST(UnaryTest, Activations) {
  const Tensor x = Floats({3}, {-2, 0, 2});
  ExpectTensor(EvalUnary(UnaryKind::kRelu, x), Floats({3}, {0, 0, 2}));
  ExpectTensor(EvalUnary(UnaryKind::kLeakyRelu, x, 0.1f), Floats({3}, {-0.2f, 0, 2}), 1e-7);
  ExpectTensor(EvalUnary(UnaryKind::kClip, x, -1, 1), Floats({3}, {-1, 0, 1}));
  ExpectTensor(EvalUnary(UnaryKind::kSilu, x), Floats({3}, {-0.23840584f, 0, 1.76159416f}), 1e-7);
  ExpectTensor(EvalUnary(UnaryKind::kHardSigmoid, x, 0.2f, 0.5f), Floats({3}, {0.1f, 0.5f, 0.9f}), 1e-7);
  ExpectTensor(EvalUnary(UnaryKind::kSelu, x, 2, 3), Floats({3}, {-5.1879883f, 0, 6}), 1e-6);
  ExpectTensor(EvalUnary(UnaryKind::kCelu, x, 2), Floats({3}, {-1.2642411f, 0, 2}), 1e-6);
  ExpectTensor(EvalUnary(UnaryKind::kThresholdedRelu, x, 1), Floats({3}, {0, 0, 2}));
  ExpectTensor(EvalUnary(UnaryKind::kSoftplus, Floats({2}, {-1000, 1000})), Floats({2}, {0, 1000}));
}

TEST(UnaryTest, RoundsHalvesToEvenAndKeepsNan) {
  ExpectTensor(EvalUnary(UnaryKind::kRound, Floats({5}, {0.5, 1.5, -0.5, -2.5, 2.4f})), Floats({5}, {0, 2, 0, -2, 2}));
  ExpectTensor(EvalUnary(UnaryKind::kRelu, Floats({1}, {kNan})), Floats({1}, {kNan}));
  ExpectTensor(EvalUnary(UnaryKind::kClip, Floats({3}, {kNan, kInf, 5}), -kInf, kInf), Floats({3}, {kNan, kInf, 5}));
}

TEST(UnaryTest, TestsGiveBool) {
  const Tensor x = Floats({4}, {kNan, kInf, -kInf, 1});
  ExpectTensor(EvalUnary(UnaryKind::kIsNaN, x), Tensor::Of<bool>({4}, {true, false, false, false}));
  ExpectTensor(EvalUnary(UnaryKind::kIsInf, x, 1, 1), Tensor::Of<bool>({4}, {false, true, true, false}));
  ExpectTensor(EvalUnary(UnaryKind::kIsInf, x, 0, 1), Tensor::Of<bool>({4}, {false, true, false, false}));
  ExpectTensor(EvalUnary(UnaryKind::kNot, Tensor::Of<bool>({2}, {true, false})), Tensor::Of<bool>({2}, {false, true}));
}

TEST(UnaryTest, IntegersAreExact) {
  const int64_t big = (int64_t{1} << 60) + 1, lowest = std::numeric_limits<int64_t>::min();
  ExpectTensor(EvalUnary(UnaryKind::kNeg, Longs({2}, {big, lowest})), Longs({2}, {-big, lowest}));
  EXPECT_EQ(EvalUnary(UnaryKind::kAbs, Longs({1}, {-big})).AsInt(0), big);
  EXPECT_EQ(EvalUnary(UnaryKind::kClip, Longs({1}, {big}), -kInf, kInf).AsInt(0), big);
  ExpectTensor(EvalUnary(UnaryKind::kRelu, Tensor::Of<int8_t>({2}, {-128, 127})), Tensor::Of<int8_t>({2}, {0, 127}));
}

TEST(UnaryTest, RefusesWrongTypes) {
  Unary exp;
  exp.kind = UnaryKind::kExp;
  ExpectRefused(exp, {Longs({1}, {1})});
  ExpectRefused(exp, {});
  ExpectRefused(exp, {Tensor()});
  Unary logical_not;
  logical_not.kind = UnaryKind::kNot;
  ExpectRefused(logical_not, {Floats({1}, {1})});
  Unary relu;
  relu.kind = UnaryKind::kRelu;
  ExpectRefused(relu, {Tensor::Of<bool>({1}, {true})});
}

TEST(BinaryTest, Broadcasts) {
  const Tensor a = Floats({2, 1, 3}, {1, 2, 3, 4, 5, 6}), b = Floats({2, 1}, {10, 20});
  ExpectTensor(EvalBinary(BinaryKind::kAdd, a, b), Floats({2, 2, 3}, {11, 12, 13, 21, 22, 23, 14, 15, 16, 24, 25, 26}));
  ExpectTensor(EvalBinary(BinaryKind::kSub, Floats({}, {1}), Floats({2}, {3, 4})), Floats({2}, {-2, -3}));
  EXPECT_EQ(EvalBinary(BinaryKind::kMul, Floats({2, 0}, {}), Floats({1}, {2})).elems(), 0);
}

TEST(BinaryTest, FloatKinds) {
  const Tensor a = Floats({4}, {-7, 7, kNan, 2}), b = Floats({4}, {3, -3, 1, kNan});
  ExpectTensor(EvalBinary(BinaryKind::kMod, a, b), Floats({4}, {2, -2, kNan, kNan}));
  ExpectTensor(EvalBinary(BinaryKind::kFmod, a, b), Floats({4}, {-1, 1, kNan, kNan}));
  ExpectTensor(EvalBinary(BinaryKind::kMax, a, b), Floats({4}, {3, 7, kNan, kNan}));
  ExpectTensor(EvalBinary(BinaryKind::kMin, a, b), Floats({4}, {-7, -3, kNan, kNan}));
  ExpectTensor(EvalBinary(BinaryKind::kPRelu, a, Floats({}, {0.5f})), Floats({4}, {-3.5f, 7, kNan, 2}));
  ExpectTensor(EvalBinary(BinaryKind::kLess, a, b), Tensor::Of<bool>({4}, {true, false, false, false}));
}

TEST(BinaryTest, IntegersWrapAndNeverTrap) {
  const int32_t lowest = std::numeric_limits<int32_t>::min();
  const Tensor a = Tensor::Of<int32_t>({4}, {lowest, -7, 7, 5}), b = Tensor::Of<int32_t>({4}, {-1, 2, -2, 0});
  ExpectTensor(EvalBinary(BinaryKind::kDiv, a, b), Tensor::Of<int32_t>({4}, {lowest, -3, -3, 0}));
  ExpectTensor(EvalBinary(BinaryKind::kMod, a, b), Tensor::Of<int32_t>({4}, {0, 1, -1, 0}));
  ExpectTensor(EvalBinary(BinaryKind::kFmod, a, b), Tensor::Of<int32_t>({4}, {0, -1, 1, 0}));
  const Tensor big = Longs({1}, {(int64_t{1} << 53) + 1});
  EXPECT_EQ(EvalBinary(BinaryKind::kAdd, big, Longs({1}, {1})).AsInt(0), (int64_t{1} << 53) + 2);
  ExpectTensor(EvalBinary(BinaryKind::kAdd, Tensor::Of<uint8_t>({1}, {250}), Tensor::Of<uint8_t>({1}, {10})),
               Tensor::Of<uint8_t>({1}, {4}));
}

TEST(BinaryTest, PowTakesMixedTypes) {
  ExpectTensor(EvalBinary(BinaryKind::kPow, Floats({3}, {2, 3, 4}), Longs({3}, {3, 2, -1})),
               Floats({3}, {8, 9, 0.25f}));
  ExpectTensor(EvalBinary(BinaryKind::kPow, Longs({3}, {2, 3, -1}), Longs({3}, {10, -1, -3})),
               Longs({3}, {1024, 0, -1}));
  ExpectTensor(EvalBinary(BinaryKind::kPow, Longs({1}, {4}), Floats({1}, {0.5f})), Longs({1}, {2}));
  EXPECT_EQ(EvalBinary(BinaryKind::kPow, Longs({1}, {3}), Longs({1}, {37})).AsInt(0), 450283905890997363);
}

TEST(BinaryTest, RefusesWrongOperands) {
  Binary add;
  ExpectRefused(add, {Floats({2}, {1, 2}), Floats({3}, {1, 2, 3})});
  ExpectRefused(add, {Floats({1}, {1}), Longs({1}, {1})});
  ExpectRefused(add, {Floats({1}, {1}), Tensor()});
  ExpectRefused(add, {Tensor::Of<bool>({1}, {true}), Tensor::Of<bool>({1}, {true})});
  Binary logical;
  logical.kind = BinaryKind::kAnd;
  ExpectRefused(logical, {Floats({1}, {1}), Floats({1}, {1})});
  Binary bitwise;
  bitwise.kind = BinaryKind::kBitwiseAnd;
  ExpectRefused(bitwise, {Floats({1}, {1}), Floats({1}, {1})});
}

TEST(WhereTest, SelectsWithBroadcasting) {
  const Tensor condition = Tensor::Of<bool>({2, 1}, {true, false});
  ExpectTensor(Eval(Where(), {condition, Longs({2}, {1, 2}), Longs({}, {9})}), Longs({2, 2}, {1, 2, 9, 9}));
  ExpectRefused(Where(), {Floats({1}, {1}), Longs({1}, {1}), Longs({1}, {1})});
  ExpectRefused(Where(), {condition, Longs({1}, {1}), Floats({1}, {1})});
}

TEST(CastTest, Converts) {
  Cast cast;
  cast.to = DType::kInt32;
  ExpectTensor(Eval(cast, {Floats({3}, {1.9f, -1.9f, 0})}), Tensor::Of<int32_t>({3}, {1, -1, 0}));
}

}  // namespace
}  // namespace tenon
