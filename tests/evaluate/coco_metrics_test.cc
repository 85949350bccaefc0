#include "evaluate/coco_metrics.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/file.h"

namespace tenon {
namespace {

using nlohmann::json;

struct ImageLists {
  std::vector<CocoDetection> detections;
  std::vector<CocoTruth> truths;
};

CocoBox ToBox(const json& b) {
  return {b[0].get<double>(), b[1].get<double>(), b[2].get<double>(), b[3].get<double>()};
}

std::map<int64_t, ImageLists> Images(const json& c) {
  std::map<int64_t, ImageLists> images;
  for (int i = 0; i < c["images"].get<int>(); ++i) images[i];
  for (const json& t : c["truths"]) {
    images[t[0]].truths.push_back({ToBox(t[2]), t[3].get<double>(), t[4].get<int>() != 0, t[1].get<int>()});
  }
  for (const json& d : c["detections"]) {
    images[d[0]].detections.push_back({ToBox(d[2]), d[3].get<double>(), d[1].get<int>()});
  }
  return images;
}

CocoMetrics::Result Measure(const std::map<int64_t, ImageLists>& images) {
  CocoMetrics metrics;
  for (const auto& [id, lists] : images) metrics.Add(id, lists.detections, lists.truths);
  return metrics.Finish();
}

json Cases() { return json::parse(ReadTextFile(TENON_SOURCE_DIR "/tests/data/coco_cases.json")); }

TEST(CocoMetricsTest, EqualsPycocotoolsOnRandomSets) {
  const json cases = Cases();
  ASSERT_EQ(cases.size(), 6u);
  for (const json& c : cases) {
    const CocoMetrics::Result result = Measure(Images(c));
    for (size_t i = 0; i < 12; ++i) EXPECT_NEAR(result.figures[i], c["figures"][i].get<double>(), 1e-9) << i;
    std::map<int, double> by_class;
    for (const auto& r : result.classes) by_class[r.class_id] = r.ap50_95;
    for (int k = 0; k < static_cast<int>(c["class_ap"].size()); ++k) {
      const double got = by_class.contains(k) ? by_class[k] : CocoMetrics::kUndefined;
      EXPECT_NEAR(got, c["class_ap"][k].get<double>(), 1e-9) << "class " << k;
    }
  }
}

TEST(CocoMetricsTest, AMovedBoxMovesTheFigures) {
  std::map<int64_t, ImageLists> images = Images(Cases()[0]);
  const double before = Measure(images).figures[0];
  for (auto& [id, lists] : images) {
    for (CocoDetection& d : lists.detections) d.box.left += 15;
  }
  EXPECT_LT(Measure(images).figures[0], before - 0.05);
}

TEST(CocoMetricsTest, NothingIsUndefinedNotZero) {
  CocoMetrics metrics;
  metrics.Add(1, {}, {});
  for (const double figure : metrics.Finish().figures) EXPECT_EQ(figure, CocoMetrics::kUndefined);
  const std::vector<CocoDetection> lone = {{{0, 0, 10, 10}, 0.9, 0}};
  metrics.Add(2, lone, {});
  EXPECT_EQ(metrics.Finish().figures[0], CocoMetrics::kUndefined);
  const std::vector<CocoTruth> missed = {{{50, 50, 10, 10}, 100, false, 0}};
  metrics.Add(3, {}, missed);
  EXPECT_EQ(metrics.Finish().figures[0], 0);
}

TEST(CocoMetricsTest, ACrowdTakesAnyNumberAndCostsNothing) {
  const std::vector<CocoTruth> truths = {{{0, 0, 200, 200}, 40000, true, 0}, {{300, 0, 50, 50}, 2500, false, 0}};
  const std::vector<CocoDetection> detections = {
      {{0, 0, 50, 50}, 0.9, 0}, {{60, 60, 50, 50}, 0.8, 0}, {{300, 0, 50, 50}, 0.7, 0}};
  CocoMetrics metrics;
  metrics.Add(1, detections, truths);
  const CocoMetrics::Result result = metrics.Finish();
  EXPECT_NEAR(result.figures[0], 1, 1e-9);
  EXPECT_EQ(result.classes.at(0).instances, 1);
}

}  // namespace
}  // namespace tenon
