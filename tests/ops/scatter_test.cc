#include "ops/scatter.h"

#include "ops/op_testing.h"

namespace tenon {
namespace {

using testing::ElementsAre;

TEST(ScatterElementsTest, ReplacesAndReduces) {
  ScatterElements op;
  op.axis = 1;
  const Tensor x = Iota({1, 4}), indices = Longs({1, 3}, {1, -1, 1}), updates = Floats({1, 3}, {10, 20, 30});
  EXPECT_THAT(Doubles(Eval(op, {x, indices, updates})), ElementsAre(0, 30, 2, 20));
  op.reduction = ScatterReduction::kAdd;
  EXPECT_THAT(Doubles(Eval(op, {x, indices, updates})), ElementsAre(0, 41, 2, 23));
  op.reduction = ScatterReduction::kMul;
  EXPECT_THAT(Doubles(Eval(op, {x, indices, updates})), ElementsAre(0, 300, 2, 60));
  op.reduction = ScatterReduction::kMin;
  EXPECT_THAT(Doubles(Eval(op, {x, indices, updates})), ElementsAre(0, 1, 2, 3));
  op.reduction = ScatterReduction::kMax;
  EXPECT_THAT(Doubles(Eval(op, {x, indices, updates})), ElementsAre(0, 30, 2, 20));
  EXPECT_THAT(Doubles(x), ElementsAre(0, 1, 2, 3)) << "the operand was written";
}

TEST(ScatterElementsTest, IntegersWrap) {
  ScatterElements op;
  op.reduction = ScatterReduction::kAdd;
  const Tensor x = Longs({1}, {INT64_MAX});
  EXPECT_EQ(Eval(op, {x, Ints({0}), Longs({1}, {1})}).AsInt(0), INT64_MIN);
}

TEST(ScatterElementsTest, MaxKeepsNaN) {
  ScatterElements op;
  op.reduction = ScatterReduction::kMax;
  EXPECT_TRUE(std::isnan(Eval(op, {Iota({1}), Ints({0, 0}), Floats({2}, {NAN, 5})}).AsDouble(0)));
}

TEST(ScatterElementsTest, RefusesBadOperands) {
  const ScatterElements op;
  ExpectRefused(op, {Iota({2}), Ints({2}), Iota({1})});
  ExpectRefused(op, {Iota({2}), Ints({-3}), Iota({1})});
  ExpectRefused(op, {Iota({2}), Ints({0}), Iota({2})});
  ExpectRefused(op, {Iota({2}), Ints({0}), Longs({1}, {1})});
  ExpectRefused(op, {Iota({2, 1}), Longs({1, 2}, {0, 0}), Iota({1, 2})});  // wider than x off the axis
  ExpectRefused(op, {Tensor::Scalar(1.0f), Tensor::Scalar<int64_t>(0), Tensor::Scalar(1.0f)});
}

TEST(ScatterNDTest, RowsAndElements) {
  ScatterND op;
  EXPECT_THAT(Doubles(Eval(op, {Iota({2, 2}), Longs({1, 1}, {-1}), Floats({1, 2}, {8, 9})})), ElementsAre(0, 1, 8, 9));
  op.reduction = ScatterReduction::kAdd;
  EXPECT_THAT(Doubles(Eval(op, {Iota({2, 2}), Longs({2, 2}, {0, 1, 0, 1}), Floats({2}, {8, 9})})),
              ElementsAre(0, 18, 2, 3));
  EXPECT_THAT(Doubles(Eval(op, {Iota({2}), Longs({1, 0}, {}), Floats({1, 2}, {1, 1})})), ElementsAre(1, 2));
}

TEST(ScatterNDTest, RefusesBadOperands) {
  const ScatterND op;
  ExpectRefused(op, {Iota({2, 2}), Longs({1, 1}, {2}), Iota({1, 2})});
  ExpectRefused(op, {Iota({2, 2}), Longs({1, 1}, {0}), Iota({1, 3})});
  ExpectRefused(op, {Iota({2, 2}), Longs({1, 3}, {0, 0, 0}), Iota({1})});
  ExpectRefused(op, {Iota({2}), Tensor::Scalar<int64_t>(0), Tensor::Scalar(1.0f)});
}

}  // namespace
}  // namespace tenon
