#include "ops/select.h"

#include "ops/fill.h"
#include "ops/nms.h"
#include "ops/op_testing.h"
#include "ops/top_k.h"

namespace tenon {
namespace {

using testing::ElementsAre;

Tensor Bools(const std::vector<bool>& values) {
  return Tensor::Of<bool>({static_cast<int64_t>(values.size())}, values);
}

TEST(NonZeroTest, IndicesRowMajor) {
  const Tensor y = Eval(NonZero{}, {Floats({2, 2}, {1, 0, NAN, -2})});
  EXPECT_EQ(y.shape(), (Shape{2, 3}));
  EXPECT_THAT(Doubles(y), ElementsAre(0, 1, 1, 0, 0, 1));
  EXPECT_EQ(Eval(NonZero{}, {Iota({3, 0})}).shape(), (Shape{2, 0}));
  EXPECT_EQ(Eval(NonZero{}, {Tensor::Scalar(2.0f)}).shape(), (Shape{0, 1}));
}

TEST(CompressTest, SlicesOrElements) {
  Compress op;
  EXPECT_THAT(Doubles(Eval(op, {Iota({2, 2}), Bools({false, true, true})})), ElementsAre(1, 2));
  op.flatten = false;
  op.axis = -1;
  EXPECT_THAT(Doubles(Eval(op, {Iota({2, 2}), Bools({false, true})})), ElementsAre(1, 3));
  ExpectRefused(op, {Iota({2, 2}), Bools({false, false, true})});
  ExpectRefused(op, {Iota({2, 2}), Iota({2})});
  op.axis = 2;
  ExpectRefused(op, {Iota({2, 2}), Bools({true})});
}

TEST(UniqueTest, SortedOrFirstSeen) {
  Unique op;
  const std::vector<Tensor> x = {Floats({6}, {2, 1, NAN, 2, NAN, 0})};
  const auto sorted = op.Evaluate(x);
  EXPECT_EQ(sorted[0].elems(), 4);
  EXPECT_THAT(Doubles(sorted[1]), ElementsAre(5, 1, 0, 2));
  EXPECT_THAT(Doubles(sorted[2]), ElementsAre(2, 1, 3, 2, 3, 0));
  EXPECT_THAT(Doubles(sorted[3]), ElementsAre(1, 1, 2, 2));
  op.sorted = false;
  EXPECT_THAT(Doubles(op.Evaluate(x)[1]), ElementsAre(0, 1, 2, 5));
}

TEST(UniqueTest, AlongAnAxis) {
  Unique op;
  op.flatten = false;
  op.axis = 1;
  const Tensor y = Eval(op, {Floats({2, 3}, {1, 0, 1, 4, 9, 4})});
  EXPECT_EQ(y.shape(), (Shape{2, 2}));
  EXPECT_THAT(Doubles(y), ElementsAre(0, 1, 9, 4));
}

TEST(TopKTest, TiesByIndexAndNaNLargest) {
  TopK op;
  const std::vector<Tensor> x = {Floats({5}, {1, 3, 2, 3, NAN}), Ints({4})};
  EXPECT_THAT(Doubles(op.Evaluate(x)[1]), ElementsAre(4, 1, 3, 2));
  op.largest = false;
  EXPECT_THAT(Doubles(op.Evaluate(x)[1]), ElementsAre(0, 2, 1, 3));
}

TEST(TopKTest, AxisAndRefusals) {
  TopK op;
  op.axis = 0;
  EXPECT_THAT(Doubles(Eval(op, {Floats({2, 3}, {1, 5, 2, 4, 0, 2}), Ints({1})})), ElementsAre(4, 5, 2));
  EXPECT_EQ(Eval(op, {Iota({2, 3}), Ints({0})}).shape(), (Shape{0, 3}));
  ExpectRefused(op, {Iota({2, 3}), Ints({3})});
  ExpectRefused(op, {Iota({2, 3}), Ints({-1})});
  ExpectRefused(op, {Iota({2, 3}), Ints({1, 1})});
  ExpectRefused(op, {Tensor::Scalar(1.0f), Ints({1})});
  EXPECT_EQ(InferWithoutValues(op, {Iota({2, 3}), Ints({1})}).shape, std::nullopt);
}

class NmsTest : public testing::Test {
 protected:
  std::vector<double> Run(const std::vector<float>& scores, int64_t most, float iou, float score) {
    const auto count = static_cast<int64_t>(scores.size());
    const Tensor y = Eval(NonMaxSuppression{}, {boxes_, Floats({1, 1, count}, scores), Ints({most}),
                                                Tensor::Scalar(iou), Tensor::Scalar(score)});
    std::vector<double> kept;
    for (int64_t i = 0; i < y.shape()[0]; ++i) kept.push_back(y.AsDouble(i * 3 + 2));
    return kept;
  }
  /// Two boxes with IoU 1/3, the second with its corners exchanged, and one apart.
  Tensor boxes_ = Floats({1, 3, 4}, {0, 0, 2, 2, 3, 2, 1, 0, 10, 10, 12, 12});
};

TEST_F(NmsTest, SuppressesAboveTheThreshold) {
  EXPECT_THAT(Run({0.5f, 0.9f, 0.7f}, 9, 0.3f, 0), ElementsAre(1, 2));
  EXPECT_THAT(Run({0.5f, 0.9f, 0.7f}, 9, 0.4f, 0), ElementsAre(1, 2, 0));
  EXPECT_THAT(Run({0.5f, 0.9f, 0.7f}, 9, 0.4f, 0.5f), ElementsAre(1, 2));
  EXPECT_THAT(Run({0.5f, 0.9f, 0.7f}, 1, 0.4f, 0), ElementsAre(1));
  EXPECT_THAT(Run({0.5f, 0.5f, 0.5f}, 9, 0.4f, 0), ElementsAre(0, 1, 2));
  EXPECT_THAT(Run({NAN, 0.5f, NAN}, 9, 0.4f, 0), ElementsAre(1));
  EXPECT_THAT(Run({0.5f, 0.5f, 0.5f}, -1, 0.4f, 0), ElementsAre());
}

TEST_F(NmsTest, RefusesBadOperands) {
  EXPECT_THROW(Run({1, 1}, 1, 0.5f, 0), Error);
  EXPECT_THROW(Run({1, 1, 1}, 1, 1.5f, 0), Error);
  EXPECT_THROW(Run({1, 1, 1}, 1, NAN, 0), Error);
  ExpectRefused(NonMaxSuppression{}, {Iota({1, 3}), Iota({1, 1, 3})});
  EXPECT_EQ(Eval(NonMaxSuppression{}, {boxes_, Iota({1, 1, 3})}).shape(), (Shape{0, 3}));
}

TEST(OneHotTest, AxisAndOutside) {
  OneHot op;
  const std::vector<Tensor> rest = {Ints({3}), Floats({2}, {0, 5})};
  EXPECT_THAT(Doubles(Eval(op, {Ints({0, -1}), rest[0], rest[1]})), ElementsAre(5, 0, 0, 0, 0, 5));
  EXPECT_THAT(Doubles(Eval(op, {Ints({3, -4}), rest[0], rest[1]})), ElementsAre(0, 0, 0, 0, 0, 0));
  op.axis = 0;
  EXPECT_EQ(Eval(op, {Ints({0, 1}), rest[0], rest[1]}).shape(), (Shape{3, 2}));
  ExpectRefused(op, {Ints({0}), Ints({-1}), rest[1]});
  ExpectRefused(op, {Ints({0}), Ints({int64_t{1} << 50}), rest[1]});
  ExpectRefused(op, {Ints({0}), rest[0], Floats({1}, {0})});
  op.axis = 2;
  ExpectRefused(op, {Ints({0}), rest[0], rest[1]});
}

TEST(TriluTest, Diagonals) {
  Trilu op;
  const Tensor x = Floats({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(Doubles(Eval(op, {x})), ElementsAre(1, 2, 3, 0, 5, 6));
  EXPECT_THAT(Doubles(Eval(op, {x, Tensor::Scalar<int64_t>(INT64_MAX)})), ElementsAre(0, 0, 0, 0, 0, 0));
  op.upper = false;
  EXPECT_THAT(Doubles(Eval(op, {x, Ints({-1})})), ElementsAre(0, 0, 0, 4, 0, 0));
  EXPECT_THAT(Doubles(Eval(op, {x, Ints({INT64_MIN})})), ElementsAre(0, 0, 0, 0, 0, 0));
  EXPECT_EQ(Eval(op, {Iota({0, 3})}).elems(), 0);
  ExpectRefused(op, {Iota({3})});
  ExpectRefused(op, {x, Ints({1, 2})});
}

TEST(ReverseSequenceTest, FirstStepsOfEach) {
  ReverseSequence op;
  EXPECT_THAT(Doubles(Eval(op, {Iota({3, 2}), Ints({2, 3})})), ElementsAre(2, 5, 0, 3, 4, 1));
  op.batch_axis = 0;
  op.time_axis = 1;
  EXPECT_THAT(Doubles(Eval(op, {Iota({2, 3}), Ints({1, 2})})), ElementsAre(0, 1, 2, 4, 3, 5));
  ExpectRefused(op, {Iota({2, 3}), Ints({1, 4})});
  ExpectRefused(op, {Iota({2, 3}), Ints({1})});
  ExpectRefused(op, {Iota({2}), Ints({1, 1})});
  op.batch_axis = 1;
  ExpectRefused(op, {Iota({2, 3}), Ints({1, 1, 1})});
}

}  // namespace
}  // namespace tenon
