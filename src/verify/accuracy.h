#pragma once
#include <functional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "evaluate/detection_evaluator.h"
#include "verify/detector.h"
#include "vision/dataset.h"

namespace tenon {

/// How an engine is measured on labelled images; the defaults are `val`'s.
struct AccuracyOptions {
  double conf = 0.001;
  NmsOptions nms;  ///< max_detections is raised to the most labels of an image: recall is not capped
  MetricKind metrics = MetricKind::kUltralytics;
  std::string title = "val";  ///< of the progress bar
  Progress::Mode progress = Progress::Mode::kShow;
};

/// What was found on one image.
struct ImageDetections {
  size_t sample = 0;  ///< its place in Dataset::samples
  LetterboxPlan plan;
  std::vector<Detection> detections;  ///< canvas pixels, best first
};

/// Throws Error(kInvalidInput) when the data set has another number of classes than the model.
void CheckClasses(const Detector& detector, const Dataset& dataset);

/// What happened beside the detections.
struct EvaluationRun {
  SpeedMs speed;                        ///< mean per readable image
  std::vector<std::string> unreadable;  ///< error messages of images that could not be read, also logged as warnings
};

/// Runs the detector over the data set, in its order, and gives each readable image's detections to `sink` as they
/// come: memory doesn't grow with the number of images. Throws Error(kInvalidInput) when no image could be read or the
/// classes don't fit, Error(kInterrupted) after Ctrl-C.
EvaluationRun EvaluateImages(Detector& detector, const Dataset& dataset, const AccuracyOptions& options,
                             const std::function<void(ImageDetections)>& sink);

/// Detections of every readable image, kept so that they can be measured again (bootstrap), and the report of them all.
struct Accuracy {
  std::vector<ImageDetections> images;
  ValReport report;  ///< all but `model`
};

/// EvaluateImages with all detections kept: up to 300 x 24 bytes an image.
Accuracy MeasureAccuracy(Detector& detector, const Dataset& dataset, const AccuracyOptions& options);

}  // namespace tenon
