#include "ops/resize.h"

#include "ops/op_testing.h"

namespace tenon {
namespace {

using testing::ElementsAre;
using testing::Pointwise;

Tensor Floats(const std::vector<float>& values) { return tenon::Floats({static_cast<int64_t>(values.size())}, values); }

Tensor ResizeBy(const Resize& op, const Tensor& x, const std::vector<float>& scales) {
  return Eval(op, {x, Tensor(), Floats(scales)});
}

TEST(ResizeTest, NearestUpsampleRepeats) {
  Resize op;
  op.coordinates = ResizeCoordinates::kAsymmetric;
  op.nearest = NearestRounding::kFloor;
  EXPECT_THAT(Doubles(ResizeBy(op, Iota({1, 1, 2, 2}), {1, 1, 2, 2})),
              ElementsAre(0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3));
}

TEST(ResizeTest, NearestModes) {
  // x / 0.5 of outputs 0, 1 under asymmetric: 0 and 2 exactly; under half_pixel: 0.5 and 2.5, where rounding matters.
  Resize op;
  EXPECT_THAT(Doubles(ResizeBy(op, Iota({4}), {0.5f})), ElementsAre(0, 2));
  op.nearest = NearestRounding::kRoundPreferCeil;
  EXPECT_THAT(Doubles(ResizeBy(op, Iota({4}), {0.5f})), ElementsAre(1, 3));
  op.nearest = NearestRounding::kCeil;
  op.coordinates = ResizeCoordinates::kAsymmetric;
  EXPECT_THAT(Doubles(ResizeBy(op, Iota({4}), {0.5f})), ElementsAre(0, 2));
}

TEST(ResizeTest, LinearHalfPixelAndAlignCorners) {
  Resize op;
  op.mode = ResizeMode::kLinear;
  EXPECT_THAT(Doubles(ResizeBy(op, Iota({2}), {2})), ElementsAre(0, 0.25, 0.75, 1));
  op.coordinates = ResizeCoordinates::kAlignCorners;
  EXPECT_THAT(Doubles(ResizeBy(op, Iota({3}), {5.0f / 3})),
              Pointwise(testing::DoubleNear(1e-6), {0.0, 0.5, 1.0, 1.5, 2.0}));
}

TEST(ResizeTest, CubicReproducesALine) {
  Resize op;
  op.mode = ResizeMode::kCubic;
  op.cubic_coeff_a = -0.5f;  // exact for lines
  const std::vector<double> y = Doubles(ResizeBy(op, Iota({8}), {2}));
  for (size_t i = 4; i < 12; ++i) EXPECT_NEAR(y[i], (static_cast<double>(i) + 0.5) / 2 - 0.5, 1e-6);
}

TEST(ResizeTest, AntialiasAverages) {
  Resize op;
  op.mode = ResizeMode::kLinear;
  op.antialias = true;
  // Scale 0.5 at coordinate 0.5: weights of pixels -1 ... 2 are 1, 3, 3, 1 of 8, the border pixel repeated.
  EXPECT_THAT(Doubles(ResizeBy(op, Iota({4}), {0.5f})), Pointwise(testing::DoubleNear(1e-6), {0.625, 2.375}));
}

TEST(ResizeTest, SizesWithAspectRatio) {
  Resize op;
  op.axes = {2, 3};
  op.policy = AspectRatioPolicy::kNotLarger;
  EXPECT_EQ(Eval(op, {Iota({1, 1, 2, 4}), Tensor(), Tensor(), Ints({7, 8})}).shape(), (Shape{1, 1, 4, 8}));
  op.policy = AspectRatioPolicy::kNotSmaller;
  EXPECT_EQ(Eval(op, {Iota({1, 1, 2, 4}), Tensor(), Tensor(), Ints({7, 8})}).shape(), (Shape{1, 1, 7, 14}));
}

TEST(ResizeTest, CropAndResizeExtrapolates) {
  Resize op;
  op.mode = ResizeMode::kLinear;
  op.coordinates = ResizeCoordinates::kTfCropAndResize;
  op.extrapolation_value = 9;
  EXPECT_THAT(Doubles(Eval(op, {Iota({3}), Floats({0.5f, 1.5f}), Tensor(), Ints({3})})), ElementsAre(1, 2, 9));
}

TEST(ResizeTest, IntegersTruncateAndSaturate) {
  Resize op;
  op.mode = ResizeMode::kLinear;
  const Tensor x = Tensor::Of<uint8_t>({2}, {0, 255});
  EXPECT_THAT(Doubles(ResizeBy(op, x, {2})), ElementsAre(0, 63, 191, 255));
}

TEST(ResizeTest, RefusesBadOperands) {
  const Resize op;
  const Tensor x = Iota({1, 2});
  EXPECT_THROW(Eval(op, {x}), Error);
  EXPECT_THROW(Eval(op, {x, Tensor(), Floats({1, 1}), Ints({1, 2})}), Error);
  EXPECT_THROW(ResizeBy(op, x, {1}), Error);
  EXPECT_THROW(ResizeBy(op, x, {1, 0}), Error);
  EXPECT_THROW(ResizeBy(op, x, {1, -1}), Error);
  EXPECT_THROW(ResizeBy(op, x, {1, std::nanf("")}), Error);
  EXPECT_THROW(ResizeBy(op, x, {1, 1e30f}), Error);
  EXPECT_THROW(ResizeBy(op, x, {1e6f, 1e6f}), Error);
  EXPECT_THROW(Eval(op, {Iota({0}), Tensor(), Tensor(), Ints({2})}), Error);
  EXPECT_THROW(Eval(op, {x, Tensor(), Tensor(), Ints({1, -2})}), Error);
  Resize cropped;
  cropped.coordinates = ResizeCoordinates::kTfCropAndResize;
  EXPECT_THROW(ResizeBy(cropped, x, {1, 2}), Error);
}

TEST(ResizeTest, UnknownOperandsGiveNoShape) {
  EXPECT_EQ(InferWithoutValues(Resize{}, {Iota({4}), Tensor(), Floats({2})}).shape, std::nullopt);
}

}  // namespace
}  // namespace tenon
