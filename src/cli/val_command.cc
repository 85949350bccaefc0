#include <filesystem>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/detector.h"
#include "evaluate/detection_evaluator.h"
#include "vision/dataset.h"

namespace tenon::cli {
namespace {

struct ValOptions {
  ModelOptions model;
  HeadOptions head{.conf = 0.001};
  DatasetOptions data;
  std::string metrics = "ultralytics";
  std::string save_json;
};

void ReportProblems(const Dataset& dataset) {
  constexpr size_t kShown = 10;
  for (size_t i = 0; i < dataset.problems.size() && i < kShown; ++i) Log().warn("{}", dataset.problems[i].ToString());
  if (dataset.problems.size() > kShown) Log().warn("... and {} more such lines", dataset.problems.size() - kShown);
}

std::string Table(const ValReport& report) {
  std::string text = fmt::format("{:<22}{:>8}{:>11}{:>9}{:>9}{:>9}{:>11}\n", "class", "images", "instances", "P", "R",
                                 "mAP50", "mAP50-95");
  const auto row = [&](const std::string& name, int64_t instances, const DetectionScores& scores) {
    text += fmt::format("{:<22}{:>8}{:>11}{:>9.3f}{:>9.3f}{:>9.3f}{:>11.4f}\n", name.substr(0, 21), report.images,
                        instances, scores.precision, scores.recall, scores.ap50, scores.ap50_95);
  };
  row("all", report.instances, report.metrics);
  for (const auto& scores : report.classes) row(scores.name, scores.instances, scores);
  text += fmt::format("speed per image: {:.1f} ms preprocess, {:.1f} ms inference, {:.1f} ms postprocess\n",
                      report.speed_ms.preprocess, report.speed_ms.inference, report.speed_ms.postprocess);
  return text;
}

/// Runs the detector over the data set; images that can't be read are named and counted.
void EvaluateImages(Detector& detector, const Dataset& dataset, const ValOptions& options, const GlobalOptions& global,
                    DetectionEvaluator& evaluator, SpeedMs& speed) {
  DetectOptions detect{.conf = options.head.conf, .nms = options.head.Nms()};
  detect.nms.max_detections =
      static_cast<int>(std::max<int64_t>(options.head.max_det, dataset.most_truths_in_an_image));
  std::vector<std::string> paths;
  for (const Sample& sample : dataset.samples) paths.push_back(sample.image_path);
  ImageLoader loader(paths, {.preprocess = detector.preprocess(),
                             .rule = LetterboxRule::kVal,
                             .threads = 1,
                             .depth = static_cast<int>(std::max<int64_t>(8, 2 * detector.batch()))});
  Progress progress("val", "images", static_cast<int64_t>(paths.size()), global.progress());
  std::vector<LoadedImage> batch;
  int64_t readable = 0;
  const auto flush = [&] {
    if (batch.empty()) return;
    std::vector<const LoadedImage*> images;
    for (const auto& image : batch) images.push_back(&image);
    const auto detections = detector.Run(images, detect);
    for (size_t i = 0; i < batch.size(); ++i) evaluator.Add(batch[i].index, detections[i], batch[i].plan);
    batch.clear();
  };
  while (auto image = loader.Next()) {
    CheckInterrupt();
    progress.Advance();
    if (!image->error.empty()) {
      Log().warn("{}", image->error);
      evaluator.AddUnreadable(image->error);
      continue;
    }
    speed.preprocess += image->preprocess_ms;
    ++readable;
    batch.push_back(std::move(*image));
    if (static_cast<int64_t>(batch.size()) == detector.batch()) flush();
  }
  flush();
  if (readable == 0)
    ThrowInvalid({.what = "no image could be read",
                  .where = dataset.source,
                  .got = fmt::format("{} unreadable images", paths.size())});
  speed.preprocess /= static_cast<double>(readable);
  speed.inference = detector.inference_ms / static_cast<double>(readable);
  speed.postprocess = detector.postprocess_ms / static_cast<double>(readable);
}

CommandResult Val(const ValOptions& options, const GlobalOptions& global) {
  const MetricKind kind = ParseMetricKind(options.metrics);
  const Dataset dataset = LoadDataset(options.data);
  ReportProblems(dataset);
  const LoadedModel model = LoadModel(options.model, global);
  Detector detector(model, options.head, global.threads);
  if (static_cast<int>(dataset.names.size()) != detector.head().num_classes) {
    ThrowInvalid({.what = "the data set's classes are not the model's",
                  .where = dataset.source,
                  .got = fmt::format("{} classes", dataset.names.size()),
                  .expected = std::to_string(detector.head().num_classes)});
  }
  DetectionEvaluator evaluator(dataset);
  SpeedMs speed;
  EvaluateImages(detector, dataset, options, global, evaluator, speed);
  ValReport report = evaluator.Finish(kind);
  report.model = options.model.model;
  report.speed_ms = speed;
  if (!options.save_json.empty()) WriteTextFileAtomically(options.save_json, evaluator.CocoPredictions().dump());
  return {.json = ToJson(report), .text = Table(report)};
}

}  // namespace

void AddVal(CLI::App& app, CommandBody& body) {
  auto options = std::make_shared<ValOptions>();
  CLI::App* command = app.add_subcommand("val", "mAP of a model on a labelled data set");
  AddModelFlags(*command, options->model);
  AddHeadFlags(*command, options->head);
  command->add_option("--data", options->data.data, "Ultralytics data.yaml, or a COCO json (with --images)")
      ->required();
  command->add_option("--images", options->data.images, "folder of the images of a COCO json");
  command->add_option("--split", options->data.split, "train, val or test")->capture_default_str();
  command->add_option("--fraction", options->data.fraction, "use only the first part of the images")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command->add_option("--metrics", options->metrics, "ultralytics or coco")->capture_default_str();
  command->add_option("--save-json", options->save_json, "detections in COCO's result form");
  command->callback(
      [options, &body] { body = [options](const GlobalOptions& global) { return Val(*options, global); }; });
}

}  // namespace tenon::cli
