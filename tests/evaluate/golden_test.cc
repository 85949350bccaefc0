#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "evaluate/coco_metrics.h"
#include "evaluate/ultralytics_metrics.h"
#include "support/fixtures.h"

// The figures that Ultralytics 8.4.190 and pycocotools 2.0 gave for exactly these saved detections.
namespace tenon {
namespace {

using nlohmann::json;
constexpr double kTolerance = 1e-6;

struct Sizes {
  double width, height;
  std::string stem;
};

CocoBox ToCocoBox(const json& box) {
  return {box[0].get<double>(), box[1].get<double>(), box[2].get<double>(), box[3].get<double>()};
}

class GoldenTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string model = GetParam();
    TENON_REQUIRE_FIXTURE(golden_path, "golden/" + model + ".json");
    TENON_REQUIRE_FIXTURE(predictions_path, "golden/" + model + "_predictions.json.gz");
    TENON_REQUIRE_FIXTURE(annotations_path, "coco-val/instances_val2017_subset.json");
    TENON_REQUIRE_FIXTURE(labels_folder, "coco-val/labels/val2017");
    labels_folder_ = labels_folder;
    golden_ = json::parse(ReadTextFile(golden_path));
    annotations_ = json::parse(ReadTextFile(annotations_path));
    for (const json& category : annotations_["categories"]) class_of_.emplace(category["id"].get<int>(), 0);
    for (int next = 0; auto& [id, class_id] : class_of_) class_id = next++;
    for (const json& image : annotations_["images"]) {
      const std::string file = image["file_name"];
      images_[image["id"]] = {image["width"].get<double>(), image["height"].get<double>(),
                              file.substr(0, file.rfind('.'))};
    }
    const json predictions = json::parse(testing_support::ReadGzip(predictions_path));
    for (const json& p : predictions) {
      detections_[p["image_id"]].push_back(
          {ToCocoBox(p["bbox"]), p["score"].get<double>(), class_of_.at(p["category_id"].get<int>())});
    }
  }

  std::vector<LabelledBox> Labels(const Sizes& image) const {
    std::vector<LabelledBox> labels;
    std::ifstream file(labels_folder_ + "/" + image.stem + ".txt");
    for (double c, x, y, w, h; file >> c >> x >> y >> w >> h;) {
      labels.push_back({{static_cast<float>((x - w / 2) * image.width), static_cast<float>((y - h / 2) * image.height),
                         static_cast<float>((x + w / 2) * image.width), static_cast<float>((y + h / 2) * image.height)},
                        static_cast<int>(c)});
    }
    return labels;
  }

  std::vector<ScoredBox> Boxes(int64_t image) const {
    std::vector<ScoredBox> boxes;
    if (!detections_.contains(image)) return boxes;
    for (const CocoDetection& d : detections_.at(image)) {
      const CocoBox& b = d.box;
      boxes.push_back({{static_cast<float>(b.left), static_cast<float>(b.top), static_cast<float>(b.left + b.width),
                        static_cast<float>(b.top + b.height)},
                       d.score,
                       d.class_id});
    }
    return boxes;
  }

  std::string labels_folder_;
  json golden_, annotations_;
  std::map<int, int> class_of_;
  std::map<int64_t, Sizes> images_;
  std::map<int64_t, std::vector<CocoDetection>> detections_;
};

TEST_P(GoldenTest, UltralyticsMetricsOnSavedPredictions) {
  UltralyticsMetrics metrics;
  for (const auto& [id, image] : images_) metrics.Add(Boxes(id), Labels(image));
  const UltralyticsMetrics::Result result = metrics.Finish();
  const json& golden = golden_["ultralytics_on_saved_predictions"];
  EXPECT_NEAR(result.mean.ap50_95, golden["map"].get<double>(), kTolerance);
  EXPECT_NEAR(result.mean.ap50, golden["map50"].get<double>(), kTolerance);
  EXPECT_NEAR(result.mean.precision, golden["mp"].get<double>(), kTolerance);
  EXPECT_NEAR(result.mean.recall, golden["mr"].get<double>(), kTolerance);
  EXPECT_EQ(result.images, 254);
  EXPECT_EQ(result.instances, 2058);
  const json& classes = golden["classes"];
  ASSERT_EQ(result.classes.size(), classes.size());
  for (size_t i = 0; i < classes.size(); ++i) {
    SCOPED_TRACE(classes[i]["class"]);
    EXPECT_EQ(result.classes[i].class_id, classes[i]["class"].get<int>());
    EXPECT_NEAR(result.classes[i].ap50_95, classes[i]["ap50_95"].get<double>(), kTolerance);
    EXPECT_NEAR(result.classes[i].ap50, classes[i]["ap50"].get<double>(), kTolerance);
    EXPECT_NEAR(result.classes[i].precision, classes[i]["p"].get<double>(), kTolerance);
    EXPECT_NEAR(result.classes[i].recall, classes[i]["r"].get<double>(), kTolerance);
  }
}

TEST_P(GoldenTest, CocoMetricsOnSavedPredictions) {
  std::map<int64_t, std::vector<CocoTruth>> truths;
  for (const json& a : annotations_["annotations"]) {
    truths[a["image_id"]].push_back({ToCocoBox(a["bbox"]), a["area"].get<double>(), a["iscrowd"].get<int>() != 0,
                                     class_of_.at(a["category_id"].get<int>())});
  }
  CocoMetrics metrics;
  for (const auto& [id, image] : images_) metrics.Add(id, detections_[id], truths[id]);
  const CocoMetrics::Result result = metrics.Finish();
  const json& golden = golden_["pycocotools_bbox_on_saved_predictions"];
  ASSERT_EQ(golden.size(), result.figures.size());
  for (size_t i = 0; i < result.figures.size(); ++i) {
    EXPECT_NEAR(result.figures[i], golden[i].get<double>(), kTolerance) << "figure " << i;
  }
}

TEST_P(GoldenTest, OneClassTooManyMovesBothMetrics) {
  UltralyticsMetrics metrics;
  for (const auto& [id, image] : images_) {
    std::vector<ScoredBox> boxes = Boxes(id);
    for (ScoredBox& box : boxes) box.class_id = (box.class_id + 1) % 80;
    metrics.Add(boxes, Labels(image));
  }
  EXPECT_LT(metrics.Finish().mean.ap50, 0.1);
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenTest, testing::Values("yolov8n", "yolo26n"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace tenon
