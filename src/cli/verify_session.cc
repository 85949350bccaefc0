#include "cli/verify_session.h"

#include <algorithm>
#include <ctime>

#include "cli/data_options.h"
#include "cli/int8_options.h"
#include "cli/json_fields.h"
#include "cli/latency_options.h"
#include "cli/layer_times.h"
#include "cli/number_check.h"
#include "cli/other_process.h"
#include "cli/verify_report.h"
#include "passes/fusable.h"
#include "runtime/load.h"

namespace tenon::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string UtcNow() {
  const std::time_t now = std::time(nullptr);
  std::tm utc = {};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

std::string ReportOf(const EngineModel& engine, const std::string& name) {
  const auto found = engine.reports.find(name);
  return found == engine.reports.end() ? "" : found->second;
}

/// What the steps that aren't in INT8 compute in, where they can.
Precision FloatPrecision(const Program& plan) {
  const bool half = std::any_of(plan.steps.begin(), plan.steps.end(),
                                [](const ProgramStep& step) { return step.compute == DType::kBFloat16 || step.compute == DType::kFloat16; });
  return half || plan.precision == "half" ? Precision::kHalf : Precision::kFp32;
}

/// Whether the source brings its own quantisation.
bool IsQuantised(const Graph& source) {
  return std::any_of(source.nodes().begin(), source.nodes().end(), [](const auto& node) {
    const Epilogue* epilogue = EpilogueOf(node->op());
    return epilogue && epilogue->is_int8();
  });
}

/// Why steps of an INT8 engine are in another precision, as lines of the build's warnings.
std::string Int8Reasons(const EngineModel& engine, const Program& plan, const Graph& source) {
  std::string lines;
  if (const auto choice = ParseVerifyReport(ReportOf(engine, kInt8Report))) {
    const Json& kept = Child(*choice, "kept");
    for (const Json& layer : kept.is_array() ? kept : Json::array())
      lines += fmt::format("{} (Conv) stays in half: {}, noise {} by itself\n", TextField(layer, "layer"),
                           TextField(layer, "reason"), NumberField(layer, "noise"));
  }
  const bool own = IsQuantised(source);
  for (const ProgramStep& step : plan.steps) {
    if (own || step.op != "Conv")
      lines +=
          fmt::format("{} ({}) stays in half: {}\n", step.name, step.op,
                      own ? "the model's own quantisation leaves it out" : "calibration quantises convolutions alone");
  }
  return lines;
}

/// AP of each class with labels, engine beside source.
Json Classes(const ValReport& engine, const ValReport& source) {
  Json classes = Json::array();
  for (const ReportRow& row : engine.classes) {
    Json json = {{"id", row.class_id}, {"name", row.name}, {"instances", row.instances}, {"ap50_95", row.ap50_95}};
    for (const ReportRow& other : source.classes) {
      if (other.class_id == row.class_id) json["source_ap50_95"] = other.ap50_95;
    }
    classes.push_back(std::move(json));
  }
  return classes;
}

}  // namespace

void AddJudgeFlags(CLI::App& command, JudgeOptions& options) {
  AddHeadFlags(command, options.head);
  AddDataFlags(command, options.data);
  MatrixOptions& matrix = options.matrix;
  AddLatencyFlags(command, matrix.latency.latency);
  command.add_option("--p95-ms", matrix.latency.p95_ms, "budget: 95th percentile of one run of the engine")
      ->check(NumberBetween(1e-6, 1e9));
  command.add_option("--map-drop", matrix.map_drop, "mAP50-95 may be so many points below the source's")
      ->check(NumberBetween(0, 100))
      ->capture_default_str();
  command.add_option("--top-class", matrix.top_class, "class that matters most (default: the one with most labels)");
  command.add_option("--top-class-drop", matrix.top_class_drop, "its AP50-95 may be so many points lower")
      ->check(NumberBetween(0, 100))
      ->capture_default_str();
}

VerifySession::VerifySession(const std::string& source, const ModelOptions& model, const JudgeOptions& options,
                             const GlobalOptions& global)
    : source_path_(source),
      options_(options),
      global_(global),
      device_(ChosenDevice(global)),
      dataset_(LoadDatasetAndReport(options.data)),
      source_(source, model, global) {
  if (!options.matrix.top_class.empty()) ClassNumber(dataset_, options.matrix.top_class);  // refused before the work
}

AccuracyOptions VerifySession::ToAccuracyOptions(const char* title) const {
  return {.conf = options_.head.conf, .nms = options_.head.Nms(), .title = title, .progress = global_.progress()};
}

const Accuracy& VerifySession::SourceAccuracy() {
  if (!source_accuracy_) source_accuracy_ = source_.MeasureSource(dataset_, options_.head, ToAccuracyOptions("source"));
  return *source_accuracy_;
}

const Engine* VerifySession::Half() {
  if (!half_) half_ = source_.CompileHalf();
  return *half_ ? &**half_ : nullptr;
}

Json VerifySession::ToJson(const MatrixResult& matrix, const Accuracy& accuracy, const Program& plan,
                           const std::string& name) const {
  Json checks = Json::array();
  for (const Check& check : matrix.checks) checks.push_back(tenon::ToJson(check));
  return {{"passed", matrix.passed()},
          {"checks", checks},
          {"engine", name},
          {"precision", plan.precision},
          {"fallbacks", Json::array()},
          {"device", plan.fingerprint},
          {"threads", device_->host_threads()},
          {"source", source_path_},
          {"source_digest", source_.digest().ToString()},
          {"data", options_.data.data},
          {"images", accuracy.report.images},
          {"instances", accuracy.report.instances},
          {"classes", Classes(accuracy.report, source_accuracy_->report)},
          {"date", UtcNow()},
          {"tenon", TENON_VERSION}};
}

Verification VerifySession::Verify(const std::shared_ptr<const EngineModel>& model, const std::string& name,
                                   const std::string& asked, LayerTimes times) {
  source_.Fit(*model);
  const auto plan = FindPlan(*model, *device_);
  Detector detector(MakeEngine(model, *device_), options_.head.head, global_.threads);
  CheckClasses(detector, dataset_);
  const Accuracy& source_accuracy = SourceAccuracy();
  const Accuracy accuracy = MeasureAccuracy(detector, dataset_, ToAccuracyOptions("engine"));
  const auto graph = source_.FusedGraph(FloatPrecision(*plan)), fp32_graph = source_.FusedGraph(Precision::kFp32);
  MatrixOptions matrix = options_.matrix;
  matrix.precision = asked;
  matrix.latency.threads = global_.threads;
  matrix.latency.latency.progress = global_.progress();
  std::string reasons = ReportOf(*model, "warnings");
  if (plan->precision == "int8") reasons = Int8Reasons(*model, *plan, *graph) + reasons;
  Verification result;
  result.matrix = RunMatrix(
      {.engine = &detector,
       .plan = plan.get(),
       .device = device_.get(),
       .build_warnings = reasons,
       .accuracy = {dataset_, accuracy, source_accuracy},
       .source = {*graph, *fp32_graph},
       .half = plan->precision == "int8" ? Half() : nullptr,
       .other_process = [&](const Tensor& input) { return RunInOtherProcess(*model, global_.device, global_.threads, input); }},
      matrix);
  result.report = ToJson(result.matrix, accuracy, *plan, name);
  if (times == LayerTimes::kMeasure) result.report["layers"] = MeasureLayers(detector.engine(), *plan, device_->host_threads());
  return result;
}

}  // namespace tenon::cli
