#include "quantize/calibrator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "base/error.h"

namespace tenon {
namespace {

Histogram Of(std::vector<float> values) {
  Histogram histogram;
  histogram.Add(values);
  return histogram;
}

/// Mostly within 1, one value in ten thousand at 100.
Histogram WithOutliers() {
  std::mt19937 generator(1);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values;
  for (int i = 0; i < 50000; ++i) values.push_back(i % 25000 == 0 ? 100.0f : uniform(generator));
  return Of(values);
}

TEST(CalibratorTest, MinMaxCoversEverythingAndHoldsZero) {
  const AffineScale scale = ChooseScale(Of({1, 2, 3}), Calibrator::kMinMax);
  EXPECT_EQ(scale.zero_point, 0);
  EXPECT_FLOAT_EQ(scale.scale, 3.0f / 255);
  const AffineScale both = ChooseScale(Of({-1, 3}), Calibrator::kMinMax);
  EXPECT_EQ(both.zero_point, 64);
}

TEST(CalibratorTest, OthersCutWhatIsRare) {
  const Histogram histogram = WithOutliers();
  const double full = QuantizationError(histogram, ChooseScale(histogram, Calibrator::kMinMax));
  const AffineScale mse = ChooseScale(histogram, Calibrator::kMse);
  EXPECT_LE(QuantizationError(histogram, mse), full);
  EXPECT_LT(ChooseScale(histogram, Calibrator::kPercentile).scale, 0.1f);
  EXPECT_LT(ChooseScale(histogram, Calibrator::kEntropy).scale, 100.0f / 255);
}

TEST(CalibratorTest, MseIsTheLeastErrorOfAGridOfRanges) {
  std::mt19937 generator(2);
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> values;
  for (int i = 0; i < 20000; ++i) values.push_back(normal(generator) * (i % 100 == 0 ? 10.0f : 1.0f));
  const Histogram histogram = Of(values);
  const double best = QuantizationError(histogram, ChooseScale(histogram, Calibrator::kMse));
  for (double range = 0.5; range < 40; range += 0.25)
    EXPECT_LE(best, 1.02 * QuantizationError(histogram, ScaleOfRange(-range, range))) << range;
}

TEST(CalibratorTest, DegenerateTensorsGetAScale) {
  for (const auto& histogram : {Histogram(), Of({0, 0}), Of({1e-38f}), Of({3e38f, -3e38f})}) {
    for (int i = 0; i < 4; ++i) {
      const AffineScale scale = ChooseScale(histogram, static_cast<Calibrator>(i));
      EXPECT_TRUE(std::isfinite(scale.scale) && scale.scale > 0);
      EXPECT_TRUE(scale.zero_point >= 0 && scale.zero_point <= 255);
    }
  }
}

TEST(CalibratorTest, NamesAreThoseOfTheFlag) {
  EXPECT_EQ(ParseCalibrator("entropy"), Calibrator::kEntropy);
  EXPECT_THROW(ParseCalibrator("best"), Error);
}

}  // namespace
}  // namespace tenon
