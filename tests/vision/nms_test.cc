#include "vision/nms.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <tuple>

namespace tenon {
namespace {

bool Same(const Detection& a, const Detection& b) {
  return a.box.x1 == b.box.x1 && a.box.y1 == b.box.y1 && a.box.x2 == b.box.x2 && a.box.y2 == b.box.y2 &&
         a.score == b.score && a.class_id == b.class_id;
}

/// The definition, word for word: no buckets, no early end.
std::vector<Detection> PlainNms(std::vector<Detection> boxes, const NmsOptions& options) {
  std::stable_sort(boxes.begin(), boxes.end(), [](auto& a, auto& b) { return a.score > b.score; });
  if (boxes.size() > static_cast<size_t>(options.max_candidates)) boxes.resize(options.max_candidates);
  const auto moved = [&](const Detection& d) {
    const float by = options.classes == ClassMode::kAware ? static_cast<float>(d.class_id) * 7680 : 0;
    return Box{d.box.x1 + by, d.box.y1 + by, d.box.x2 + by, d.box.y2 + by};
  };
  std::vector<Detection> kept;
  for (const Detection& d : boxes) {
    const Box b = moved(d);
    const bool suppressed = std::any_of(kept.begin(), kept.end(), [&](const Detection& k) {
      const Box a = moved(k);
      const float w = std::max(0.0f, std::min(a.x2, b.x2) - std::max(a.x1, b.x1));
      const float h = std::max(0.0f, std::min(a.y2, b.y2) - std::max(a.y1, b.y1));
      const float inter = w * h, area_a = (a.x2 - a.x1) * (a.y2 - a.y1), area_b = (b.x2 - b.x1) * (b.y2 - b.y1);
      return static_cast<double>(inter / (area_a + area_b - inter)) > options.iou;
    });
    if (!suppressed) kept.push_back(d);
  }
  if (kept.size() > static_cast<size_t>(options.max_detections)) kept.resize(options.max_detections);
  return kept;
}

std::vector<Detection> RandomBoxes(int count, int classes, float extent, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> place(-20, extent), size(5, 120);
  std::uniform_int_distribution<int> score(1, 500), class_id(0, classes - 1);
  std::vector<Detection> boxes;
  for (int i = 0; i < count; ++i) {
    const float x = place(random), y = place(random);
    boxes.push_back({{x, y, x + size(random), y + size(random)},
                     static_cast<float>(score(random)) / 500,
                     class_id(random)});  // 500 levels: many equal scores
  }
  return boxes;
}

void ExpectSame(const std::vector<Detection>& got, const std::vector<Detection>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) ASSERT_TRUE(Same(got[i], expected[i])) << i;
}

TEST(NmsTest, EqualsTheDefinition) {
  for (const float extent : {100.0f, 600.0f, 9000.0f}) {  // the last one makes classes meet in spite of their offsets
    for (const ClassMode classes : {ClassMode::kAware, ClassMode::kAgnostic}) {
      for (const double iou : {0.0, 0.45, 0.7, 1.0}) {
        const std::vector<Detection> boxes = RandomBoxes(900, 80, extent, 7);
        for (const NmsOptions& options : {NmsOptions{.iou = iou, .classes = classes},
                                          NmsOptions{.iou = iou, .max_detections = 5, .max_candidates = 100}}) {
          ExpectSame(Nms(boxes, options), PlainNms(boxes, options));
        }
      }
    }
  }
}

/// The IoU is a float32 and the threshold a float64: 0.6f is above 0.6, and 0.7f isn't above 0.7.
TEST(NmsTest, ComparesAsTorchvisionDoes) {
  for (const auto& [width, iou, survivors] : {std::tuple(6.0f, 0.6, 1u), {7.0f, 0.7, 2u}}) {
    std::vector<Detection> boxes = {{{0, 0, 10, 1}, 0.9f, 0}, {{0, 0, width, 1}, 0.8f, 0}};
    EXPECT_EQ(Nms(boxes, {.iou = iou}).size(), survivors) << iou;
    // The same behind more than a block of others.
    for (int i = 0; i < 20; ++i) {
      const auto x = static_cast<float>(100 + 20 * i);
      boxes.insert(boxes.begin(), {{x, 0, x + 10, 1}, 0.95f, 0});
    }
    EXPECT_EQ(Nms(boxes, {.iou = iou}).size(), survivors + 20) << iou;
    ExpectSame(Nms(boxes, {.iou = iou}), PlainNms(boxes, {.iou = iou}));
  }
}

TEST(NmsTest, KeepsEqualScoresInOrder) {
  const std::vector<Detection> boxes = {
      {{0, 0, 10, 10}, 0.5f, 0}, {{0, 0, 10, 10.5f}, 0.5f, 0}, {{50, 0, 60, 9}, 0.5f, 0}};
  ExpectSame(Nms(boxes, {}), {boxes[0], boxes[2]});
}

TEST(NmsTest, OtherClassesDoNotSuppress) {
  const std::vector<Detection> boxes = {{{0, 0, 10, 10}, 0.5f, 0}, {{0, 0, 10, 10}, 0.9f, 1}};
  EXPECT_EQ(Nms(boxes, {}).size(), 2u);
  EXPECT_EQ(Nms(boxes, {.classes = ClassMode::kAgnostic}).size(), 1u);
}

TEST(NmsTest, ExactlyTheThresholdIsKept) {
  const std::vector<Detection> boxes = {{{0, 0, 10, 10}, 0.9f, 0}, {{0, 0, 10, 5}, 0.8f, 0}};  // IoU 0.5
  EXPECT_EQ(Nms(boxes, {.iou = 0.5}).size(), 2u);
  EXPECT_EQ(Nms(boxes, {.iou = 0.49}).size(), 1u);
}

TEST(NmsTest, NothingInNothingOut) { EXPECT_TRUE(Nms({}, {}).empty()); }

TEST(NmsTest, ThirtyThousandCandidatesTakeMilliseconds) {
  const std::vector<Detection> boxes = RandomBoxes(30000, 80, 600, 3);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(Nms(boxes, {}).size(), 300u);
  const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
  EXPECT_LT(elapsed.count(), 500);  // about 3 on a quiet machine; the bound only catches a quadratic slip
}

}  // namespace
}  // namespace tenon
