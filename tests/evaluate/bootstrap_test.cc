#include "evaluate/bootstrap.h"

#include <gtest/gtest.h>

#include <random>

namespace tenon {
namespace {

/// Images of labels in two classes and noisy detections of them, with misses and false alarms.
/// @param noise pixels that boxes are off by, of boxes 40 pixels wide
std::vector<ScoredImage> RandomImages(size_t count, float noise, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<ScoredImage> images(count);
  const auto unit = [&] { return static_cast<float>(random() >> 8) / 16777216.0f; };
  for (ScoredImage& image : images) {
    const int labels = static_cast<int>(random() % 6);
    for (int i = 0; i < labels; ++i) {
      const float x = 50.0f * static_cast<float>(i), shift = noise * (unit() - 0.5f);
      const int class_id = static_cast<int>(random() % 2) * 2;  // class 1 has no labels
      image.labels.push_back({{x, 0, x + 40, 40}, class_id});
      if (unit() < 0.85f)
        image.detections.push_back({{x + shift, shift, x + shift + 40, 40}, 0.3f + 0.7f * unit(), class_id});
    }
    for (int i = 0; i < 4; ++i)
      image.detections.push_back({{400, 400, 430, 430}, 0.8f * unit(), static_cast<int>(random() % 4)});
  }
  return images;
}

double MeanApOf(const std::vector<ScoredImage>& images) {
  UltralyticsMetrics metrics;
  for (const ScoredImage& image : images) metrics.Add(image.detections, image.labels);
  return metrics.Finish().mean.ap50_95;
}

TEST(ResampledMap, EveryImageOnceIsTheMetricItself) {
  for (uint32_t seed = 1; seed < 20; ++seed) {
    const auto images = RandomImages(40, 20, seed);
    EXPECT_NEAR(ResampledMap(images).MeanAp(std::vector<int>(40, 1)), MeanApOf(images), 1e-12) << seed;
  }
}

TEST(ResampledMap, RepeatedImagesCountAsOftenAsDrawn) {
  const auto images = RandomImages(30, 20, 3);
  std::vector<int> times(30);
  std::vector<ScoredImage> drawn;
  for (size_t i = 0; i < images.size(); ++i) {
    times[i] = static_cast<int>(i % 3);
    for (int k = 0; k < times[i]; ++k) drawn.push_back(images[i]);
  }
  // Copies of one detection have equal scores: the metric adds them one by one, the resampled one at once.
  EXPECT_NEAR(ResampledMap(images).MeanAp(times), MeanApOf(drawn), 0.01);
}

TEST(ResampledMap, NothingToMeasure) {
  const std::vector<ScoredImage> images(3);
  EXPECT_EQ(ResampledMap(images).MeanAp(std::vector<int>(3, 1)), 0);
}

TEST(BootstrapDifference, SameSeedSameInterval) {
  const auto images = RandomImages(50, 10, 1), others = RandomImages(50, 14, 1);
  const ResampledMap a(images), b(others);
  const Interval first = BootstrapDifference(a, b, {.resamples = 200}),
                 again = BootstrapDifference(a, b, {.resamples = 200});
  EXPECT_EQ(first.low, again.low);
  EXPECT_EQ(first.high, again.high);
}

TEST(BootstrapDifference, EqualSidesDifferByNothing) {
  const ResampledMap a(RandomImages(50, 10, 1));
  const Interval interval = BootstrapDifference(a, a, {.resamples = 100});
  EXPECT_EQ(interval.low, 0);
  EXPECT_EQ(interval.high, 0);
}

TEST(BootstrapDifference, NarrowsWithImagesAndHoldsTheDifference) {
  Interval intervals[2];
  const size_t counts[2] = {40, 640};
  for (int i = 0; i < 2; ++i) {
    const auto images = RandomImages(counts[i], 6, 5), others = RandomImages(counts[i], 12, 5);
    intervals[i] = BootstrapDifference(ResampledMap(images), ResampledMap(others), {.resamples = 300});
    const double difference = MeanApOf(images) - MeanApOf(others);
    EXPECT_LT(intervals[i].low, difference);
    EXPECT_GT(intervals[i].high, difference);
  }
  // 16 times the images: a quarter of the width.
  const double ratio = (intervals[0].high - intervals[0].low) / (intervals[1].high - intervals[1].low);
  EXPECT_GT(ratio, 2.5);
  EXPECT_LT(ratio, 6.5);
  EXPECT_GT(intervals[1].low, 0) << "640 images tell these two apart";
}

/// The interval covers the true difference about as often as it says: 40 data sets from one known population.
TEST(BootstrapDifference, CoversTheTrueDifference) {
  const double truth = MeanApOf(RandomImages(20000, 6, 99)) - MeanApOf(RandomImages(20000, 12, 99));
  int covered = 0;
  for (uint32_t seed = 100; seed < 140; ++seed) {
    const Interval interval = BootstrapDifference(ResampledMap(RandomImages(100, 6, seed)),
                                                  ResampledMap(RandomImages(100, 12, seed)), {.resamples = 200});
    covered += interval.low <= truth && truth <= interval.high;
  }
  EXPECT_GE(covered, 33);  // 38 expected of 40; a right 95% interval gives fewer than 33 once in 10,000
}

}  // namespace
}  // namespace tenon
