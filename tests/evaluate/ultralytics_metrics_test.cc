#include "evaluate/ultralytics_metrics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "evaluate/curves.h"

namespace tenon {
namespace {

using Boxes = std::vector<ScoredBox>;
using Labels = std::vector<LabelledBox>;

Box At(float x, float size = 10) { return {x, 0, x + size, 10}; }

TEST(UltralyticsMetricsTest, PerfectDetectionsScoreOne) {
  UltralyticsMetrics metrics;
  metrics.Add(Boxes{{At(0), 0.9, 0}, {At(100), 0.8, 1}}, Labels{{At(0), 0}, {At(100), 1}});
  metrics.Add(Boxes{{At(50), 0.7, 0}}, Labels{{At(50), 0}});
  const auto result = metrics.Finish();
  EXPECT_NEAR(result.mean.ap50_95, 0.995, 1e-12);  // the last of 101 points counts half: Ultralytics' highest value
  EXPECT_NEAR(result.mean.ap50, 0.995, 1e-12);
  EXPECT_NEAR(result.mean.recall, 1, 1e-12);
  EXPECT_NEAR(result.mean.precision, 1, 1e-12);
  EXPECT_EQ(result.images, 2);
  EXPECT_EQ(result.instances, 3);
  ASSERT_EQ(result.classes.size(), 2u);
  EXPECT_EQ(result.classes[0].instances, 2);
}

TEST(UltralyticsMetricsTest, NothingMeasuresNothing) {
  EXPECT_TRUE(UltralyticsMetrics().Finish().classes.empty());
  UltralyticsMetrics no_labels;
  no_labels.Add(Boxes{{At(0), 0.9, 0}}, Labels{});
  EXPECT_EQ(no_labels.Finish().mean.ap50_95, 0);
  EXPECT_EQ(no_labels.Finish().images, 1);
  UltralyticsMetrics no_detections;
  no_detections.Add(Boxes{}, Labels{{At(0), 4}});
  ASSERT_EQ(no_detections.Finish().classes.size(), 1u);
  EXPECT_EQ(no_detections.Finish().classes[0].class_id, 4);
  EXPECT_EQ(no_detections.Finish().mean.ap50, 0);
}

TEST(UltralyticsMetricsTest, AClassThatIsNeverFoundHalvesTheMean) {
  UltralyticsMetrics metrics;
  metrics.Add(Boxes{{At(0), 0.9, 0}, {At(30), 0.9, 7}}, Labels{{At(0), 0}, {At(100), 1}});
  const auto result = metrics.Finish();
  EXPECT_NEAR(result.mean.ap50, 0.995 / 2, 1e-12);
  EXPECT_EQ(result.classes.size(), 2u);  // class 7 has no label and counts nowhere
}

TEST(UltralyticsMetricsTest, ALabelIsTakenOnceAndByTheBestScore) {
  UltralyticsMetrics metrics;
  // The better-placed box has the lower score: at 0.5 the first takes the label, at 0.95 only the second can.
  metrics.Add(Boxes{{At(0), 0.5, 0}, {At(0, 8), 0.9, 0}}, Labels{{At(0), 0}});
  const auto result = metrics.Finish();
  EXPECT_NEAR(result.mean.ap50, 0.995, 1e-12);
  EXPECT_LT(result.mean.ap50_95, 0.9);
  EXPECT_GT(result.mean.ap50_95, 0.5);
}

TEST(UltralyticsMetricsTest, WrongOnesAboveRightOnesCost) {
  UltralyticsMetrics below, above;
  below.Add(Boxes{{At(0), 0.9, 0}, {At(200), 0.1, 0}}, Labels{{At(0), 0}});
  above.Add(Boxes{{At(0), 0.1, 0}, {At(200), 0.9, 0}}, Labels{{At(0), 0}});
  EXPECT_NEAR(below.Finish().mean.ap50, 0.995, 1e-12);
  EXPECT_NEAR(above.Finish().mean.ap50, 0.4975, 0.01);
}

TEST(UltralyticsMetricsTest, NotANumberMatchesNothing) {
  UltralyticsMetrics metrics;
  metrics.Add(Boxes{{{NAN, NAN, NAN, NAN}, 0.9, 0}}, Labels{{At(0), 0}});
  EXPECT_EQ(metrics.Finish().mean.ap50, 0);
}

TEST(CurvesTest, InterpolateIsNumpys) {
  const std::vector<double> x = {0, 1, 1, 3}, y = {0, 10, 20, 40};
  EXPECT_EQ(Interpolate(-1, x, y, 7), 7);
  EXPECT_EQ(Interpolate(0, x, y, 7), 0);
  EXPECT_EQ(Interpolate(0.5, x, y, 7), 5);
  EXPECT_EQ(Interpolate(1, x, y, 7), 20);
  EXPECT_EQ(Interpolate(2, x, y, 7), 30);
  EXPECT_EQ(Interpolate(3, x, y, 7), 40);
  EXPECT_EQ(Interpolate(9, x, y, 7), 40);
}

TEST(CurvesTest, SmoothIsABoxWithHeldEnds) {
  std::vector<double> y(20, 0.0);
  y[10] = 5;
  const std::vector<double> smooth = Smooth(y, 0.1);  // 20 * 0.1 * 2 / 2 + 1 = 3 wide
  EXPECT_NEAR(smooth[9], 5.0 / 3, 1e-12);
  EXPECT_NEAR(smooth[11], 5.0 / 3, 1e-12);
  EXPECT_EQ(smooth[8], 0);
  EXPECT_NEAR(Smooth(std::vector<double>(20, 2.0), 0.1)[0], 2, 1e-12);
}

}  // namespace
}  // namespace tenon
