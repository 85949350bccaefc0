#include <chrono>
#include <ctime>

#include "base/file.h"
#include "cli/command.h"
#include "cli/data_options.h"
#include "cli/latency_options.h"
#include "cli/other_process.h"
#include "cli/verify_html.h"
#include "cli/verify_report.h"
#include "cli/verify_source.h"
#include "engine/engine_file.h"
#include "runtime/load.h"
#include "verify/matrix.h"

namespace tenon::cli {
namespace {

struct VerifyOptions {
  ModelOptions model;
  HeadOptions head{.conf = 0.001};
  DatasetOptions data;
  std::string source, report;
  MatrixOptions matrix;
  bool no_save = false;
};

std::string UtcNow() {
  const std::time_t now = std::time(nullptr);
  std::tm utc = {};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

/// --source, or the model itself where that is an ONNX file.
std::string SourcePath(const VerifyOptions& options) {
  if (!options.source.empty()) return options.source;
  if (!IsEngineFile(options.model.model)) return options.model.model;
  ThrowInvalid({.what = "verify needs the model that the engine was made of",
                .where = "--source",
                .got = "nothing",
                .expected = "an ONNX file"});
}

AccuracyOptions ToAccuracyOptions(const VerifyOptions& options, const GlobalOptions& global, const char* title) {
  return {.conf = options.head.conf, .nms = options.head.Nms(), .title = title, .progress = global.progress()};
}

nlohmann::ordered_json ToJson(const MatrixResult& result, const VerifyOptions& options, const VerifySource& source,
                              const Program& plan, const ValReport& report) {
  nlohmann::ordered_json checks = nlohmann::ordered_json::array();
  for (const Check& check : result.checks) checks.push_back(tenon::ToJson(check));
  return {{"passed", result.passed()},
          {"checks", checks},
          {"engine", options.model.model},
          {"precision", plan.precision},
          {"fallbacks", nlohmann::ordered_json::array()},
          {"device", plan.fingerprint},
          {"source", SourcePath(options)},
          {"source_digest", source.digest().ToString()},
          {"data", options.data.data},
          {"images", report.images},
          {"instances", report.instances},
          {"date", UtcNow()},
          {"tenon", TENON_VERSION}};
}

CommandResult Verify(const VerifyOptions& options, const GlobalOptions& global) {
  if (ChooseDevice(global.device) != "cpu") ThrowInvalid("verify runs engines, on --device cpu, not {}", global.device);
  const std::string source_path = SourcePath(options);
  const Dataset dataset = LoadDatasetAndReport(options.data);
  const bool is_engine = IsEngineFile(options.model.model);
  const std::string file_digest = is_engine ? HashFile(options.model.model).ToString() : "";
  const LoadedModel model = LoadModel(options.model, global);
  const CpuDevice device = ChosenCpu(global);
  const auto plan = FindPlan(*model.file, device);
  Detector detector(model.engine, options.head.head, global.threads);
  const VerifySource source(source_path, options.model, *model.file, global);

  const Accuracy source_accuracy =
      source.MeasureSource(dataset, options.head, ToAccuracyOptions(options, global, "source"));
  const Accuracy accuracy = MeasureAccuracy(detector, dataset, ToAccuracyOptions(options, global, "engine"));
  const auto graph = source.FusedGraph(plan->precision);
  const auto half = plan->precision == "int8" ? source.CompileHalf() : std::nullopt;
  const auto warnings = model.file->reports.find("warnings");
  MatrixOptions matrix = options.matrix;
  matrix.latency.threads = global.threads;
  const MatrixResult result = RunMatrix(
      {.engine = &detector,
       .plan = plan.get(),
       .device = &device,
       .build_warnings = warnings == model.file->reports.end() ? "" : warnings->second,
       .accuracy = {dataset, accuracy, source_accuracy},
       .source_graph = graph.get(),
       .half = half ? &*half : nullptr,
       .other_process = [&](const Tensor& input) { return RunInOtherProcess(*model.file, global.threads, input); }},
      matrix);

  CommandResult answer{.json = ToJson(result, options, source, *plan, accuracy.report)};
  answer.text = VerifyTable(answer.json);
  answer.exit_code = result.passed() ? 0 : static_cast<int>(ErrorCode::kGateFailed);
  if (!options.report.empty()) WriteTextFileAtomically(options.report, VerifyHtml(answer.json));
  if (is_engine && !options.no_save) KeepInEngine(options.model.model, file_digest, answer.json);
  return answer;
}

void AddMatrixFlags(CLI::App& command, MatrixOptions& options) {
  command.add_option("--p95-ms", options.latency.p95_ms, "budget: 95th percentile of one run of the engine")
      ->check(CLI::PositiveNumber);
  command.add_option("--map-drop", options.map_drop, "mAP50-95 may be so many points below the source's")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  command.add_option("--top-class", options.top_class, "class that matters most (default: the one with most labels)");
  command.add_option("--top-class-drop", options.top_class_drop, "its AP50-95 may be so many points lower")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  command.add_option("--precision", options.precision, "what was asked for (default: what the engine says it is)")
      ->check(CLI::IsMember({"fp32", "half", "int8"}));
}

}  // namespace

void AddVerify(CLI::App& app, CommandBody& body) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App* command = app.add_subcommand("verify", "proves on labelled images that an engine still is its model");
  AddModelFlags(*command, options->model);
  AddHeadFlags(*command, options->head);
  AddDataFlags(*command, options->data);
  AddLatencyFlags(*command, options->matrix.latency.latency);
  AddMatrixFlags(*command, options->matrix);
  command->add_option("--source", options->source, "the ONNX file that the engine was made of");
  command->add_option("--report", options->report, "HTML page with the result");
  command->add_flag("--no-save", options->no_save, "don't keep the result in the engine file");
  command->callback(
      [options, &body] { body = [options](const GlobalOptions& global) { return Verify(*options, global); }; });
}

}  // namespace tenon::cli
