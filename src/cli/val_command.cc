#include <filesystem>

#include "base/file.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/data_options.h"
#include "cli/head_options.h"
#include "cli/model_source.h"
#include "verify/accuracy.h"

namespace tenon::cli {
namespace {

struct ValOptions {
  ModelOptions model;
  HeadOptions head{.conf = 0.001};
  DatasetOptions data;
  std::string metrics = "ultralytics";
  std::string save_json;
};

std::string SpeedLine(const SpeedMs& speed) {
  const bool is_gpu = speed.engine > 0;
  const std::string parts =
      is_gpu ? fmt::format(" (letterbox with its copies {:.2f}, engine {:.2f})", speed.letterbox, speed.engine)
             : std::string();
  const std::string threads = is_gpu ? fmt::format(" on {} threads", speed.loader_threads) : "";
  const std::string streams =
      speed.streams > 1 ? fmt::format(", {} {} at a time", speed.streams, is_gpu ? "batches" : "images") : "";
  return fmt::format(
      "speed per image: {:.1f} ms preprocess{}, {:.1f} ms inference{}, {:.1f} ms postprocess{}; {:.1f} images/s\n",
      speed.preprocess, threads, speed.inference, parts, speed.postprocess, streams, speed.images_per_s);
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
  return text + SpeedLine(report.speed_ms);
}

CommandResult Val(const ValOptions& options, const GlobalOptions& global) {
  const MetricKind kind = ParseMetricKind(options.metrics);
  if (!options.save_json.empty()) CheckWritable(options.save_json);
  const Dataset dataset = LoadDatasetAndReport(options.data);
  const LoadedModel model = LoadModel(options.model, global);
  Detector detector(model.engine, options.head.head, global.threads, model.batch);
  DetectionEvaluator evaluator(dataset, {.coco = kind == MetricKind::kCoco, .predictions = !options.save_json.empty()});
  const EvaluationRun run = EvaluateImages(
      detector, dataset, {.conf = options.head.conf, .nms = options.head.Nms(), .progress = global.progress()},
      [&](const ImageDetections& image) { evaluator.Add(image.sample, image.detections, image.plan); });
  for (const std::string& error : run.unreadable) evaluator.AddUnreadable(error);
  ValReport report = evaluator.Finish(kind);
  report.model = options.model.model;
  report.speed_ms = run.speed;
  if (!options.save_json.empty()) WriteTextFileAtomically(options.save_json, evaluator.CocoPredictions().dump());
  return {.json = ToJson(report), .text = Table(report)};
}

}  // namespace

void AddVal(CLI::App& app, CommandBody& body) {
  auto options = std::make_shared<ValOptions>();
  CLI::App* command = app.add_subcommand("val", "mAP of a model on a labelled data set");
  AddModelFlags(*command, options->model);
  AddHeadFlags(*command, options->head);
  AddDataFlags(*command, options->data);
  command->add_option("--metrics", options->metrics, "ultralytics or coco")->capture_default_str();
  command->add_option("--save-json", options->save_json, "detections in COCO's result form");
  command->callback(
      [options, &body] { body = [options](const GlobalOptions& global) { return Val(*options, global); }; });
}

}  // namespace tenon::cli
