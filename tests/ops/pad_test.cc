#include "ops/pad.h"

#include "ops/op_testing.h"

namespace tenon {
namespace {

using testing::ElementsAre;

std::vector<double> Padded(PadMode mode, const Tensor& x, const std::vector<int64_t>& pads) {
  Pad op;
  op.mode = mode;
  return Doubles(Eval(op, {x, Ints(pads)}));
}

TEST(PadTest, Modes) {
  const Tensor x = Iota({3});
  EXPECT_THAT(Padded(PadMode::kConstant, x, {1, 2}), ElementsAre(0, 0, 1, 2, 0, 0));
  EXPECT_THAT(Padded(PadMode::kEdge, x, {1, 2}), ElementsAre(0, 0, 1, 2, 2, 2));
  EXPECT_THAT(Padded(PadMode::kReflect, x, {1, 5}), ElementsAre(1, 0, 1, 2, 1, 0, 1, 2, 1));
  EXPECT_THAT(Padded(PadMode::kWrap, x, {4, 1}), ElementsAre(2, 0, 1, 2, 0, 1, 2, 0));
  EXPECT_THAT(Padded(PadMode::kReflect, Iota({1}), {1, 1}), ElementsAre(0, 0, 0));
}

TEST(PadTest, NegativePadsCrop) {
  EXPECT_THAT(Padded(PadMode::kConstant, Iota({4}), {-1, -2}), ElementsAre(1));
  EXPECT_THAT(Padded(PadMode::kConstant, Iota({4}), {-3, 1}), ElementsAre(3, 0));
  EXPECT_THAT(Padded(PadMode::kEdge, Iota({4}), {-1, 1}), ElementsAre(1, 2, 3, 3));
}

TEST(PadTest, ValueAndAxes) {
  const Tensor y = Eval(Pad{}, {Iota({2, 1}), Ints({1, 0}), Tensor::Scalar(7.0f), Ints({-1})});
  EXPECT_EQ(y.shape(), (Shape{2, 2}));
  EXPECT_THAT(Doubles(y), ElementsAre(7, 0, 7, 1));
  EXPECT_EQ(Eval(Pad{}, {Iota({2}), Ints({}), Tensor(), Ints({})}).shape(), (Shape{2}));
  EXPECT_THAT(Doubles(Eval(Pad{}, {Iota({0}), Ints({1, 1}), Tensor::Scalar(5.0f)})), ElementsAre(5, 5));
}

TEST(PadTest, RefusesBadOperands) {
  const Tensor x = Iota({2});
  ExpectRefused(Pad{}, {x, Ints({1})});
  ExpectRefused(Pad{}, {x, Ints({-2, -1})});
  ExpectRefused(Pad{}, {x, Ints({int64_t{1} << 40, 0})});
  ExpectRefused(Pad{}, {x, Ints({INT64_MAX, INT64_MAX})});
  ExpectRefused(Pad{}, {x, Ints({INT64_MIN, INT64_MIN})});
  ExpectRefused(Pad{}, {x, Ints({1, 1}), Tensor::Scalar<int64_t>(1)});
  ExpectRefused(Pad{}, {x, Ints({1, 1}), Iota({2})});
  ExpectRefused(Pad{}, {x, Ints({1, 1}), Tensor(), Ints({1})});
  Pad edge;
  edge.mode = PadMode::kEdge;
  ExpectRefused(edge, {Iota({0}), Ints({1, 0})});
  EXPECT_EQ(InferWithoutValues(Pad{}, {x, Ints({1, 1})}).shape, std::nullopt);
}

TEST(TileTest, Repeats) {
  EXPECT_THAT(Doubles(Eval(Tile{}, {Iota({1, 2}), Ints({2, 2})})), ElementsAre(0, 1, 0, 1, 0, 1, 0, 1));
  EXPECT_EQ(Eval(Tile{}, {Iota({1, 2}), Ints({0, 2})}).shape(), (Shape{0, 4}));
  ExpectRefused(Tile{}, {Iota({2}), Ints({-1})});
  ExpectRefused(Tile{}, {Iota({2}), Ints({1, 1})});
  ExpectRefused(Tile{}, {Iota({2}), Ints({INT64_MAX})});
  ExpectRefused(Tile{}, {Iota({2}), Ints({int64_t{1} << 40})});
}

TEST(CenterCropPadTest, CropsAndPads) {
  EXPECT_THAT(Doubles(Eval(CenterCropPad{}, {Iota({5}), Ints({2})})), ElementsAre(1, 2));
  EXPECT_THAT(Doubles(Eval(CenterCropPad{}, {Floats({2}, {1, 2}), Ints({5})})), ElementsAre(0, 1, 2, 0, 0));
  CenterCropPad op;
  op.axes = {-1};
  EXPECT_EQ(Eval(op, {Iota({2, 3}), Ints({1})}).shape(), (Shape{2, 1}));
  ExpectRefused(op, {Iota({2, 3}), Ints({1, 1})});
  ExpectRefused(op, {Iota({2, 3}), Ints({-1})});
}

}  // namespace
}  // namespace tenon
