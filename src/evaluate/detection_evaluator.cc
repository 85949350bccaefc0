#include "evaluate/detection_evaluator.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace tenon {
namespace {

CocoDetection ToCoco(const Detection& detection, const LetterboxPlan& plan) {
  const Box box = BoxToImage(detection.box, plan);
  return {{box.x1, box.y1, double{box.x2} - box.x1, double{box.y2} - box.y1}, detection.score, detection.class_id};
}

/// YOLO labels know no pixels and no outline: the box's own, its area for the object's.
CocoTruth ToCoco(const Truth& truth, const LetterboxPlan& plan) {
  if (truth.area_px >= 0) {
    return {{truth.left_px, truth.top_px, truth.width_px, truth.height_px}, truth.area_px, truth.crowd, truth.class_id};
  }
  const double width = double{truth.width} * plan.image_width, height = double{truth.height} * plan.image_height;
  return {{double{truth.cx} * plan.image_width - width / 2, double{truth.cy} * plan.image_height - height / 2, width,
           height},
          width * height,
          truth.crowd,
          truth.class_id};
}

}  // namespace

MetricKind ParseMetricKind(const std::string& flag) {
  if (flag == "ultralytics") return MetricKind::kUltralytics;
  if (flag == "coco") return MetricKind::kCoco;
  ThrowInvalid({.what = "unknown metric", .where = "--metrics", .got = flag, .expected = "ultralytics or coco"});
}

std::vector<LabelledBox> CanvasLabels(const Sample& sample, const LetterboxPlan& plan) {
  std::vector<LabelledBox> labels;
  for (const Truth& truth : sample.truths) {
    if (!truth.crowd) labels.push_back({TruthToCanvas(truth, plan), truth.class_id});  // Ultralytics has no crowds
  }
  return labels;
}

void DetectionEvaluator::Add(size_t sample, std::span<const Detection> detections, const LetterboxPlan& plan) {
  TENON_CHECK(sample < dataset_.samples.size(), "sample {} of {}", sample, dataset_.samples.size());
  const Sample& labelled = dataset_.samples[sample];
  std::vector<CocoTruth> truths;
  for (const Truth& truth : labelled.truths) truths.push_back(ToCoco(truth, plan));
  ultralytics_.Add(detections, CanvasLabels(labelled, plan));
  if (!options_.coco && !options_.predictions) return;
  std::vector<CocoDetection> in_image;
  for (const Detection& detection : detections) {
    in_image.push_back(ToCoco(detection, plan));
    if (options_.predictions) predictions_.push_back({labelled.image_id, in_image.back()});
  }
  if (options_.coco) coco_.Add(static_cast<int64_t>(sample), in_image, truths);
}

void DetectionEvaluator::FillUltralytics(ValReport& report) const {
  const UltralyticsMetrics::Result result = ultralytics_.Finish();
  report.metrics = result.mean;
  report.instances = result.instances;
  for (const ClassScores& scores : result.classes) report.classes.push_back({scores, dataset_.names[scores.class_id]});
}

void DetectionEvaluator::FillCoco(ValReport& report) const {
  const CocoMetrics::Result result = coco_.Finish();
  report.coco = result.figures;
  // COCO defines no precision and recall at one confidence; Ultralytics' stay in their place.
  const UltralyticsMetrics::Result curves = ultralytics_.Finish();
  report.metrics = curves.mean;
  report.metrics.ap50_95 = result.figures[0];
  report.metrics.ap50 = result.figures[1];
  report.metrics.ap75 = result.figures[2];
  for (const CocoMetrics::ClassResult& c : result.classes) {
    ReportRow row;
    for (const ClassScores& scores : curves.classes) {
      if (scores.class_id == c.class_id) static_cast<ClassScores&>(row) = scores;
    }
    row.class_id = c.class_id;
    row.instances = c.instances;
    row.ap50_95 = c.ap50_95;
    row.ap50 = c.ap50;
    row.ap75 = c.ap75;
    row.name = dataset_.names[c.class_id];
    report.instances += c.instances;
    report.classes.push_back(std::move(row));
  }
}

ValReport DetectionEvaluator::Finish(MetricKind kind) const {
  ValReport report{.data = dataset_.source,
                   .metric_kind = kind == MetricKind::kCoco ? "coco" : "ultralytics",
                   .unreadable_images = unreadable_,
                   .label_problems = static_cast<int64_t>(dataset_.problems.size())};
  report.images = ultralytics_.images();
  TENON_CHECK(kind != MetricKind::kCoco || options_.coco, "COCO's figures were not kept");
  kind == MetricKind::kCoco ? FillCoco(report) : FillUltralytics(report);
  return report;
}

nlohmann::json DetectionEvaluator::CocoPredictions() const {
  nlohmann::json json = nlohmann::json::array();
  for (const auto& [image_id, detection] : predictions_) {
    // A model may have more classes than the data set; those can't match and have no category.
    if (static_cast<size_t>(detection.class_id) >= dataset_.category_ids.size()) continue;
    json.push_back({{"image_id", image_id},
                    {"category_id", dataset_.category_ids[detection.class_id]},
                    {"bbox", {detection.box.left, detection.box.top, detection.box.width, detection.box.height}},
                    {"score", detection.score}});
  }
  return json;
}

}  // namespace tenon
