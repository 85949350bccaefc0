#include "quantize/quality.h"

#include <gtest/gtest.h>

#include <random>

namespace tenon {
namespace {

/// Images whose two channels have means that differ from image to image by 0.1, around `mean` and `-mean`.
StatisticsTable Draw(unsigned seed, int images, float mean) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> level(mean, 0.1f), pixel(0, 1);
  StatisticsTable table;
  for (int i = 0; i < images; ++i) {
    std::vector<float> values(2 * 100);
    const float first = level(generator), second = -level(generator);
    for (size_t k = 0; k < values.size(); ++k) values[k] = (k < 100 ? first : second) + pixel(generator);
    table["t"].Add(values, {1, 2, 10, 10});
  }
  return table;
}

SplitStatistics Calibration(int images) {
  return {.halves = {Draw(1, images / 2, 0.5f), Draw(2, images / 2, 0.5f)}, .images = images};
}

TEST(JudgeDriftTest, ImagesOfOneKindAreNoDrift) {
  for (const int images : {32, 200}) {
    const Drift drift = JudgeDrift(Calibration(images), Draw(3, 32, 0.5f), 32);
    EXPECT_EQ(drift.warning, "");
    EXPECT_LT(drift.median, 0.005);
  }
}

TEST(JudgeDriftTest, SwappedChannelsAreDriftThoughTheTensorLooksTheSame) {
  const Drift drift = JudgeDrift(Calibration(200), Draw(3, 32, -0.5f), 32);
  EXPECT_NEAR(drift.median, 0.5, 0.1);  // half of the squared shift
  EXPECT_NE(drift.warning.find("not like the val images"), std::string::npos);
  EXPECT_NE(drift.warning.find(" in t)"), std::string::npos) << drift.warning;
}

TEST(JudgeCalibrationTest, CountsImagesAndDeadChannels) {
  StatisticsTable table;
  table["t"].Add(std::vector<float>{0, 1, 2, 3, 5, 5, 5, 5}, {1, 2, 2, 2});
  EXPECT_EQ(JudgeCalibration(table, 200, Calibrator::kMinMax).size(), 1u);
  const auto warnings = JudgeCalibration(table, 199, Calibrator::kMinMax);
  ASSERT_EQ(warnings.size(), 2u);
  EXPECT_NE(warnings[0].find("199 images"), std::string::npos);
  EXPECT_NE(warnings[1].find("1 of 2 channels never change"), std::string::npos);
}

}  // namespace
}  // namespace tenon
