#include "verify/accuracy.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"

namespace tenon {
namespace {

/// Collects loaded images and runs the detector on full batches.
class BatchRunner {
 public:
  BatchRunner(Detector& detector, DetectOptions options, const std::function<void(ImageDetections)>& sink)
      : detector_(detector), options_(options), sink_(sink) {}

  void Add(LoadedImage image) {
    batch_.push_back(std::move(image));
    if (static_cast<int64_t>(batch_.size()) == detector_.batch()) Flush();
  }

  void Flush() {
    if (batch_.empty()) return;
    std::vector<const LoadedImage*> images;
    for (const auto& image : batch_) images.push_back(&image);
    auto detections = detector_.Run(images, options_);
    for (size_t i = 0; i < batch_.size(); ++i) sink_({batch_[i].index, batch_[i].plan, std::move(detections[i])});
    batch_.clear();
  }

 private:
  Detector& detector_;
  const DetectOptions options_;
  const std::function<void(ImageDetections)>& sink_;
  std::vector<LoadedImage> batch_;
};

DetectOptions ToDetectOptions(const AccuracyOptions& options, const Dataset& dataset) {
  DetectOptions detect{.conf = options.conf, .nms = options.nms};
  detect.nms.max_detections =
      static_cast<int>(std::max<int64_t>(options.nms.max_detections, dataset.most_truths_in_an_image));
  return detect;
}

}  // namespace

void CheckClasses(const Detector& detector, const Dataset& dataset) {
  if (static_cast<int>(dataset.names.size()) == detector.head().num_classes) return;
  ThrowInvalid({.what = "the data set's classes are not the model's",
                .where = dataset.source,
                .got = fmt::format("{} classes", dataset.names.size()),
                .expected = std::to_string(detector.head().num_classes)});
}

EvaluationRun EvaluateImages(Detector& detector, const Dataset& dataset, const AccuracyOptions& options,
                             const std::function<void(ImageDetections)>& sink) {
  CheckClasses(detector, dataset);
  std::vector<std::string> paths;
  for (const Sample& sample : dataset.samples) paths.push_back(sample.image_path);
  ImageLoader loader(
      paths, {.preprocess = detector.preprocess(),
              .rule = LetterboxRule::kVal,
              .letterboxing = detector.letterboxing(),
              .threads = detector.loader_threads(),
              .depth = static_cast<int>(std::max<int64_t>({8, 2 * detector.batch(), 2 * detector.loader_threads()}))});
  Progress progress(options.title, "images", static_cast<int64_t>(paths.size()), options.progress);
  const double inference_before = detector.inference_ms, postprocess_before = detector.postprocess_ms;
  const double letterbox_before = detector.letterbox_ms, engine_before = detector.engine_ms;
  const auto start = std::chrono::steady_clock::now();
  EvaluationRun run;
  BatchRunner batches(detector, ToDetectOptions(options, dataset), sink);
  while (auto image = loader.Next()) {
    CheckInterrupt();
    progress.Advance();
    if (!image->error.empty()) {
      Log().warn("{}", image->error);
      run.unreadable.push_back(image->error);
      continue;
    }
    run.speed.preprocess += image->preprocess_ms;
    batches.Add(std::move(*image));
  }
  batches.Flush();
  if (run.unreadable.size() == paths.size())
    ThrowInvalid({.what = "no image could be read",
                  .where = dataset.source,
                  .got = fmt::format("{} unreadable images", paths.size())});
  const auto readable = static_cast<double>(paths.size() - run.unreadable.size());
  run.speed.preprocess /= readable;
  run.speed.inference = (detector.inference_ms - inference_before) / readable;
  run.speed.postprocess = (detector.postprocess_ms - postprocess_before) / readable;
  run.speed.letterbox = (detector.letterbox_ms - letterbox_before) / readable;
  run.speed.engine = (detector.engine_ms - engine_before) / readable;
  run.speed.loader_threads = detector.loader_threads();
  run.speed.images_per_s = readable / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return run;
}

Accuracy MeasureAccuracy(Detector& detector, const Dataset& dataset, const AccuracyOptions& options) {
  Accuracy accuracy;
  DetectionEvaluator evaluator(dataset);
  const EvaluationRun run = EvaluateImages(detector, dataset, options, [&](ImageDetections image) {
    evaluator.Add(image.sample, image.detections, image.plan);
    accuracy.images.push_back(std::move(image));
  });
  for (const std::string& error : run.unreadable) evaluator.AddUnreadable(error);
  accuracy.report = evaluator.Finish(options.metrics);
  accuracy.report.speed_ms = run.speed;
  return accuracy;
}

}  // namespace tenon
