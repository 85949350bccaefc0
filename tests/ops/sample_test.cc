#include "ops/grid_sample.h"
#include "ops/op_testing.h"
#include "ops/roi_align.h"

namespace tenon {
namespace {

using testing::ElementsAre;
using testing::Pointwise;

constexpr float kInf = std::numeric_limits<float>::infinity();

/// Samples a row of elements 0, 1, 2, 3 at x coordinates.
std::vector<double> SampleRow(const GridSample& op, const std::vector<float>& xs) {
  return Doubles(Eval(op, {Iota({1, 1, 4}), Floats({1, static_cast<int64_t>(xs.size()), 1}, xs)}));
}

TEST(GridSampleTest, LinearBetweenElements) {
  GridSample op;
  EXPECT_THAT(SampleRow(op, {-0.75f, 0, 0.75f}), ElementsAre(0, 1.5, 3));
  EXPECT_THAT(SampleRow(op, {1}), ElementsAre(1.5));  // the outer edge: half of it is padding
  op.align_corners = true;
  EXPECT_THAT(SampleRow(op, {-1, 0, 1}), ElementsAre(0, 1.5, 3));
}

TEST(GridSampleTest, Paddings) {
  GridSample op;
  op.mode = GridMode::kNearest;
  EXPECT_THAT(SampleRow(op, {-1.5f, 1.5f}), ElementsAre(0, 0));
  op.padding = GridPadding::kBorder;
  EXPECT_THAT(SampleRow(op, {-1.5f, 1.5f}), ElementsAre(0, 3));
  op.padding = GridPadding::kReflection;
  EXPECT_THAT(SampleRow(op, {1.25f, 1.75f, -1.75f}), ElementsAre(3, 2, 1));
}

TEST(GridSampleTest, CubicReproducesElements) {
  GridSample op;
  op.mode = GridMode::kCubic;
  EXPECT_THAT(SampleRow(op, {-0.75f, -0.25f, 0.25f, 0.75f}),
              Pointwise(testing::DoubleNear(1e-6), {0.0, 1.0, 2.0, 3.0}));
}

TEST(GridSampleTest, HostileCoordinatesAreHarmless) {
  for (const GridPadding padding : {GridPadding::kZeros, GridPadding::kBorder, GridPadding::kReflection}) {
    for (const GridMode mode : {GridMode::kLinear, GridMode::kNearest, GridMode::kCubic}) {
      GridSample op;
      op.mode = mode;
      op.padding = padding;
      for (const double value : SampleRow(op, {NAN, kInf, -kInf, 1e38f, -1e38f, 1e20f})) {
        EXPECT_TRUE(value >= -1 && value <= 4) << value;
        EXPECT_TRUE(padding != GridPadding::kZeros || value == 0) << value;
      }
    }
  }
}

TEST(GridSampleTest, RefusesBadOperands) {
  const GridSample op;
  ExpectRefused(op, {Iota({1, 1, 4}), Iota({1, 1, 2})});
  ExpectRefused(op, {Iota({1, 1, 4}), Iota({2, 1, 1})});
  ExpectRefused(op, {Iota({1, 4}), Iota({1, 1})});
  ExpectRefused(op, {Iota({1, 1, 0}), Iota({1, 1, 1})});
  EXPECT_EQ(Eval(op, {Iota({1, 0, 0}), Iota({1, 1, 1})}).elems(), 0);
}

TEST(AffineGridTest, IdentityIsTheGrid) {
  AffineGrid op;
  const Tensor theta = Floats({1, 2, 3}, {1, 0, 0, 0, 1, 0});
  EXPECT_THAT(Doubles(Eval(op, {theta, Ints({1, 1, 1, 2})})), ElementsAre(-0.5, 0, 0.5, 0));
  op.align_corners = true;
  EXPECT_THAT(Doubles(Eval(op, {theta, Ints({1, 1, 2, 1})})), ElementsAre(0, -1, 0, 1));
  ExpectRefused(op, {theta, Ints({1, 1, 2})});
  ExpectRefused(op, {theta, Ints({2, 1, 2, 2})});
  ExpectRefused(op, {theta, Ints({1, 1, -2, 2})});
  ExpectRefused(op, {theta, Ints({1, 1, int64_t{1} << 30, int64_t{1} << 30})});
}

TEST(RoiAlignTest, AveragesOfAPlane) {
  // Elements grow by 1 per column: a bin's average is its centre's column.
  RoiAlign op;
  op.output_width = 2;
  op.sampling_ratio = 2;
  const Tensor x = Floats({1, 1, 2, 4}, {0, 1, 2, 3, 0, 1, 2, 3});
  const Tensor y = Eval(op, {x, Floats({1, 4}, {1, 0.5f, 3, 1.5f}), Ints({0})});
  EXPECT_EQ(y.shape(), (Shape{1, 1, 1, 2}));
  EXPECT_THAT(Doubles(y), ElementsAre(1, 2));
}

TEST(RoiAlignTest, RefusesBadOperands) {
  RoiAlign op;
  const Tensor x = Iota({1, 1, 2, 2});
  ExpectRefused(op, {x, Floats({1, 4}, {0, 0, 1, 1}), Ints({1})});
  ExpectRefused(op, {x, Floats({1, 4}, {0, 0, 1e30f, 1}), Ints({0})});
  ExpectRefused(op, {x, Floats({1, 4}, {0, NAN, 1, 1}), Ints({0})});
  ExpectRefused(op, {x, Floats({1, 3}, {0, 0, 1}), Ints({0})});
  ExpectRefused(op, {x, Floats({1, 4}, {0, 0, 1, 1}), Ints({0, 0})});
  op.output_height = 0;
  ExpectRefused(op, {x, Floats({1, 4}, {0, 0, 1, 1}), Ints({0})});
}

}  // namespace
}  // namespace tenon
