#include "verify/accuracy.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "verify/detection_pipeline.h"

namespace tenon {
namespace {

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
  DetectionPipeline pipeline(detector, paths, {.detect = ToDetectOptions(options, dataset)});
  Progress progress(options.title, "images", static_cast<int64_t>(paths.size()), options.progress);
  const auto start = std::chrono::steady_clock::now();
  EvaluationRun run;
  RunTimes times;
  while (auto detected = pipeline.Next()) {
    CheckInterrupt();
    progress.Advance();
    const LoadedImage& image = detected->image;
    if (!image.error.empty()) {
      Log().warn("{}", image.error);
      run.unreadable.push_back(image.error);
      continue;
    }
    times += detected->times;
    times.preprocess_ms += image.preprocess_ms;
    sink({image.index, image.plan, std::move(detected->detections)});
  }
  if (run.unreadable.size() == paths.size())
    ThrowInvalid({.what = "no image could be read",
                  .where = dataset.source,
                  .got = fmt::format("{} unreadable images", paths.size())});
  const auto readable = static_cast<double>(paths.size() - run.unreadable.size());
  const RunTimes mean = times / readable;
  run.speed = {.preprocess = mean.preprocess_ms,
               .inference = mean.inference_ms,
               .postprocess = mean.postprocess_ms,
               .letterbox = mean.letterbox_ms,
               .engine = mean.engine_ms,
               .loader_threads = pipeline.loader_threads(),
               .streams = pipeline.streams()};
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
