#include "quantize/histogram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

#include "base/error.h"

namespace tenon {
namespace {

std::vector<float> Normal(int count, float mean, float deviation, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(mean, deviation);
  std::vector<float> values;
  for (int i = 0; i < count; ++i) values.push_back(normal(generator));
  return values;
}

void ExpectEqual(const Histogram& a, const Histogram& b) {
  EXPECT_EQ(a.exponent(), b.exponent());
  EXPECT_EQ(a.first_bin(), b.first_bin());
  EXPECT_EQ(std::vector(a.bins().begin(), a.bins().end()), std::vector(b.bins().begin(), b.bins().end()));
  EXPECT_EQ(a.min(), b.min());
  EXPECT_EQ(a.max(), b.max());
}

TEST(HistogramTest, CountsEverythingOnceWhateverTheScales) {
  std::mt19937 generator(1);
  for (int trial = 0; trial < 300; ++trial) {
    Histogram histogram;
    for (int k = 0; k < 4; ++k) {
      const float scale = std::ldexp(1.0f, static_cast<int>(generator() % 60) - 30);
      std::vector<float> values = Normal(100, trial % 3 ? 0 : 5 * scale, scale, trial * 10 + k);
      if (trial % 2) std::transform(values.begin(), values.end(), values.begin(), [](float x) { return -std::abs(x); });
      values.push_back(0);
      values.push_back(-1e-30f);
      histogram.Add(values);
    }
    EXPECT_EQ(std::accumulate(histogram.bins().begin(), histogram.bins().end(), int64_t{0}), 408);
    EXPECT_EQ(histogram.count(), 408);
    EXPECT_LE(histogram.bins().size(), static_cast<size_t>(Histogram::kBins));
  }
}

TEST(HistogramTest, OrderAndPartsDoNotMatter) {
  const auto small = Normal(1000, 0, 0.01f, 1), wide = Normal(1000, 3, 40, 2);
  Histogram one, other, merged, part;
  one.Add(small), one.Add(wide);
  other.Add(wide), other.Add(small);
  merged.Add(small), part.Add(wide), merged.Merge(part);
  ExpectEqual(one, other);
  ExpectEqual(one, merged);
}

TEST(HistogramTest, BinsAreWhereTheValuesAre) {
  Histogram histogram;
  histogram.Add(std::vector<float>{-1, 0.5f, 3});
  EXPECT_EQ(histogram.min(), -1);
  EXPECT_EQ(histogram.max(), 3);
  EXPECT_NEAR(histogram.BinCentre(0), -1, histogram.width());
  EXPECT_NEAR(histogram.BinCentre(static_cast<int64_t>(histogram.bins().size()) - 1), 3, histogram.width());
  EXPECT_LE(histogram.width(), 4.0 / 2048);
}

TEST(HistogramTest, NotFiniteCountsApart) {
  Histogram histogram;
  histogram.Add(std::vector<float>{NAN, 1, INFINITY, -INFINITY, 2});
  EXPECT_EQ(histogram.count(), 2);
  EXPECT_EQ(histogram.non_finite(), 3);
  EXPECT_EQ(histogram.max(), 2);
  histogram.Add(std::vector<float>{3e38f, -3e38f});
  EXPECT_EQ(histogram.count(), 4);
}

TEST(HistogramTest, PartsMustFit) {
  Histogram histogram;
  histogram.Add(Normal(100, 1, 2, 3));
  const std::vector<int64_t> bins(histogram.bins().begin(), histogram.bins().end());
  ExpectEqual(
      Histogram::FromParts(histogram.exponent(), histogram.first_bin(), bins, histogram.min(), histogram.max(), 0),
      histogram);
  const auto refused = [&](int exponent, int64_t first, std::vector<int64_t> counts, float min, float max) {
    EXPECT_THROW(Histogram::FromParts(exponent, first, std::move(counts), min, max, 0), Error);
  };
  refused(histogram.exponent() + 1, histogram.first_bin(), bins, histogram.min(), histogram.max());
  refused(histogram.exponent(), histogram.first_bin() + 1, bins, histogram.min(), histogram.max());
  refused(histogram.exponent(), histogram.first_bin(), bins, histogram.min(), 2 * histogram.max());
  refused(0, 0, {1, -1}, 0, 1);
  refused(0, 0, std::vector<int64_t>(Histogram::kBins + 1, 1), 0, Histogram::kBins);
  refused(1000, 0, {1}, 0, 0);
  refused(-60, INT64_MAX, {1}, 3e38f, 3e38f);
}

}  // namespace
}  // namespace tenon
