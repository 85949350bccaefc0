#include "evaluate/detection_evaluator.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace tenon {
namespace {

/// Two images of 100 x 200 with one and two labels; COCO's pixels on the second.
Dataset SmallSet() {
  Dataset dataset{.source = "set.yaml", .names = {"cat", "dog"}, .category_ids = {17, 18}};
  dataset.samples.push_back({.image_path = "a",
                             .image_id = 5,
                             .truths = {{.class_id = 0, .cx = 0.5f, .cy = 0.5f, .width = 0.5f, .height = 0.5f}}});
  Truth pixels{.class_id = 1, .cx = 0.25f, .cy = 0.5f, .width = 0.5f, .height = 1};
  pixels.width_px = 100;
  pixels.height_px = 100;
  pixels.area_px = 9000;
  Truth crowd = pixels;
  crowd.crowd = true;
  dataset.samples.push_back({.image_path = "b", .image_id = 6, .truths = {pixels, crowd}});
  return dataset;
}

LetterboxPlan Plan() { return PlanLetterbox(100, 200, {.height = 400, .width = 400}, LetterboxRule::kVal); }

void AddPerfect(DetectionEvaluator& evaluator) {
  const LetterboxPlan plan = Plan();  // scaled by two, 100 rows of border above
  evaluator.Add(0, std::vector<Detection>{{{100, 150, 300, 250}, 0.9f, 0}}, plan);
  evaluator.Add(1, std::vector<Detection>{{{0, 100, 200, 300}, 0.8f, 1}}, plan);
}

TEST(DetectionEvaluatorTest, PerfectDetectionsOnTheCanvas) {
  const Dataset dataset = SmallSet();
  DetectionEvaluator evaluator(dataset);
  AddPerfect(evaluator);
  const ValReport ultralytics = evaluator.Finish(MetricKind::kUltralytics);
  EXPECT_NEAR(ultralytics.metrics.ap50_95, 0.995, 1e-9);
  EXPECT_EQ(ultralytics.images, 2);
  EXPECT_EQ(ultralytics.instances, 2);  // the crowd is none
  EXPECT_FALSE(ultralytics.coco.has_value());
  const ValReport coco = evaluator.Finish(MetricKind::kCoco);
  EXPECT_NEAR(coco.metrics.ap50_95, 1, 1e-9);
  EXPECT_NEAR(coco.metrics.recall, 1, 1e-9);
  ASSERT_EQ(coco.classes.size(), 2u);
  EXPECT_EQ(coco.classes[1].name, "dog");
}

TEST(DetectionEvaluatorTest, JsonIsTheContract) {
  const Dataset dataset = SmallSet();
  DetectionEvaluator evaluator(dataset);
  AddPerfect(evaluator);
  evaluator.AddUnreadable("corrupt JPEG image (c.jpg): got nothing");
  ValReport report = evaluator.Finish(MetricKind::kUltralytics);
  report.model = "m.onnx";
  report.speed_ms = {1, 2, 3};
  const nlohmann::json json = ToJson(report);
  EXPECT_EQ(json["model"], "m.onnx");
  EXPECT_EQ(json["data"], "set.yaml");
  EXPECT_EQ(json["images"], 2);
  EXPECT_EQ(json["instances"], 2);
  for (const char* key : {"map50_95", "map50", "map75", "precision", "recall"}) {
    EXPECT_NEAR(json["metrics"].at(key).get<double>(), 1, 0.006) << key;
  }
  EXPECT_EQ(json["classes"][1]["id"], 1);
  EXPECT_EQ(json["classes"][1]["name"], "dog");
  for (const char* key : {"instances", "ap50_95", "ap50", "precision", "recall"}) {
    EXPECT_TRUE(json["classes"][0].at(key).is_number()) << key;
  }
  EXPECT_EQ(json["speed_ms"]["inference"], 2);
  EXPECT_EQ(json["unreadable_images"].size(), 1u);
}

TEST(DetectionEvaluatorTest, PredictionsAreInImagePixelsAndCategories) {
  const Dataset dataset = SmallSet();
  DetectionEvaluator evaluator(dataset);
  AddPerfect(evaluator);
  evaluator.Add(0, std::vector<Detection>{{{0, 0, 10, 10}, 0.3f, 44}}, Plan());  // a class that the set lacks
  const nlohmann::json predictions = evaluator.CocoPredictions();
  ASSERT_EQ(predictions.size(), 2u);
  EXPECT_EQ(predictions[0]["image_id"], 5);
  EXPECT_EQ(predictions[0]["category_id"], 17);
  EXPECT_EQ(predictions[0]["bbox"], nlohmann::json({50.0, 25.0, 100.0, 50.0}));
}

TEST(DetectionEvaluatorTest, MetricFlags) {
  EXPECT_EQ(ParseMetricKind("coco"), MetricKind::kCoco);
  EXPECT_EQ(ParseMetricKind("ultralytics"), MetricKind::kUltralytics);
  EXPECT_THROW(ParseMetricKind("voc"), Error);
}

}  // namespace
}  // namespace tenon
