#pragma once
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "evaluate/coco_metrics.h"
#include "evaluate/report.h"
#include "evaluate/ultralytics_metrics.h"
#include "vision/dataset.h"
#include "vision/letterbox.h"

namespace tenon {

enum class MetricKind { kUltralytics, kCoco };

/// "ultralytics" or "coco", as --metrics takes them. Throws Error(kInvalidInput).
MetricKind ParseMetricKind(const std::string& flag);

/// The labels of an image that count in Ultralytics' metric (crowd regions don't), in canvas pixels.
std::vector<LabelledBox> CanvasLabels(const Sample& sample, const LetterboxPlan& plan);

/// What an evaluator keeps beside Ultralytics' metric; of many images, each costs memory (some 100 bytes a detection).
struct EvaluatorOptions {
  bool coco = true;         ///< for Finish(MetricKind::kCoco)
  bool predictions = true;  ///< for CocoPredictions
};

/// Measures detections on a data set, image by image: Ultralytics' metric on the canvas (as its `val` does), COCO's in
/// image pixels.
class DetectionEvaluator {
 public:
  /// @param dataset must outlive this object
  explicit DetectionEvaluator(const Dataset& dataset, const EvaluatorOptions& options = {})
      : dataset_(dataset), options_(options) {}

  /// One image's detections in canvas pixels, as Detect gives them. @param sample its place in dataset.samples
  void Add(size_t sample, std::span<const Detection> detections, const LetterboxPlan& plan);
  /// One image that could not be read: it is named in the report and counts in no figure.
  void AddUnreadable(const std::string& error) { unreadable_.push_back(error); }

  /// Everything of the report but `model` and `speed_ms`.
  ValReport Finish(MetricKind kind) const;

  /// All detections in COCO's result form (image_id, category_id, bbox, score), for --save-json.
  nlohmann::json CocoPredictions() const;

 private:
  struct Prediction {
    int64_t image_id;
    CocoDetection detection;
  };
  void FillUltralytics(ValReport& report) const;
  void FillCoco(ValReport& report) const;

  const Dataset& dataset_;
  EvaluatorOptions options_;
  UltralyticsMetrics ultralytics_;
  CocoMetrics coco_;
  std::vector<Prediction> predictions_;
  std::vector<std::string> unreadable_;
};

}  // namespace tenon
