#include <cstdlib>
#include <filesystem>
#include <optional>

#include "base/file.h"
#include "base/log.h"
#include "cli/benchmark_report.h"
#include "cli/command.h"
#include "cli/data_options.h"
#include "cli/head_options.h"
#include "cli/int8_options.h"
#include "cli/latency_options.h"
#include "cli/model_source.h"
#include "cli/precisions.h"
#include "cli/random_input.h"
#include "engine/engine_file.h"
#include "onnx/importer.h"
#include "peers/onnxruntime_peer.h"
#include "runtime/load.h"
#include "verify/accuracy.h"

namespace tenon::cli {
namespace {

struct BenchmarkOptions {
  ModelOptions model;
  HeadOptions head{.conf = 0.001};
  DatasetOptions data;
  LatencyOptions latency;
  std::vector<std::string> precisions;
  std::string onnxruntime;  ///< Python interpreter; "none": no such row
  std::string plot;
};

/// A row and what is measured for it.
struct Contender {
  BenchmarkRow row;
  std::optional<Engine> engine;
  std::optional<OnnxRuntimePeer> peer;  ///< of the row in ONNX Runtime
  int batch = 0;                        ///< that an engine of several sizes is to hold; 0: its smallest
};

/// Runs a part of a row's work; what goes wrong there fails the row and nothing else.
template <class Work>
void Attempt(Contender& contender, const Work& work) {
  if (!contender.row.ok()) return;
  try {
    work();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInterrupted) throw;
    contender.row.error = error.what();
    Log().warn("{}: {}", contender.row.name(), error.what());
  }
}

std::vector<std::string> ChosenPrecisions(const BenchmarkOptions& options, const Device& device) {
  if (!options.precisions.empty()) return options.precisions;
  if (options.model.half) return {"half"};
  std::vector<std::string> names;
  for (const PrecisionSupport& precision : PrecisionsOf(device)) {
    const bool needs_data = precision.name == "int8" && options.data.data.empty();
    if (precision.native && !needs_data) names.push_back(precision.name);
  }
  return names;
}

/// INT8 calibrated as `export --int8 --data` does it, the calibration kept among the caches.
CompileResult CompileCalibrated(const BenchmarkOptions& options, const ModelOptions& model,
                                const GlobalOptions& global) {
  const Int8Options int8{.data = options.data.data, .images = options.data.images, .head = options.head.head};
  const std::filesystem::path folder = std::filesystem::path(CacheFolder()) / "calibration";
  std::error_code ignored;  // the write says why it failed
  std::filesystem::create_directories(folder, ignored);
  const Digest key = HashString(HashFile(model.model).ToString() + std::filesystem::absolute(int8.data).string());
  return CompileInt8(model, global, {}, int8, (folder / (key.ToString() + ".calib")).string());
}

Contender CompileRow(const BenchmarkOptions& options, const std::string& precision, const GlobalOptions& global) {
  const ModelOptions model = InPrecision(options.model, precision, "--precisions");
  Contender contender{.row = {.format = "tenon", .precision = precision}};
  Attempt(contender, [&] {
    const bool calibrates = model.int8 && !options.data.data.empty();
    const CompileResult compiled =
        calibrates ? CompileCalibrated(options, model, global) : CompileOnnx(model, global, {});
    for (const auto& warning : compiled.warnings) Log().info("{}", warning);
    contender.engine = MakeEngine(compiled.engine, *ChosenDevice(global));
    contender.row.size_bytes = static_cast<double>(EngineFileBytes(*compiled.engine));
  });
  return contender;
}

/// The interpreter that the user named, by flag or environment; "" when nobody did.
std::string NamedPython(const BenchmarkOptions& options) {
  if (!options.onnxruntime.empty()) return options.onnxruntime;
  const char* python = std::getenv("TENON_ONNXRUNTIME");
  return python ? python : "";
}

/// The source in ONNX Runtime; nothing where that is not installed and nobody asked for it.
std::optional<Contender> OnnxRuntimeRow(const BenchmarkOptions& options, const GlobalOptions& global) {
  const std::string named = NamedPython(options);
  if (named == "none") return std::nullopt;
  Contender contender{.row = {.format = "onnxruntime", .precision = "fp32"}};
  const auto graph = ImportOnnx(options.model.model, ToImportOptions(options.model));
  OnnxRuntimeOptions peer{.python = named.empty() ? "python3" : named,
                          .model = options.model.model,
                          .threads = ChosenDevice(global)->host_threads(),
                          .inputs = {},
                          .metadata = graph->metadata};
  for (const Value* input : graph->inputs()) peer.inputs.push_back({input->name(), input->dtype(), input->shape()});
  try {
    contender.peer.emplace(peer);
  } catch (const Error& error) {
    const std::string what = error.what();
    if (error.code() == ErrorCode::kInterrupted) throw;
    const bool missing =
        what.find("ModuleNotFoundError") != what.npos || what.find("can't start the program") != what.npos;
    if (named.empty() && missing) {
      Log().info("no row for ONNX Runtime, which {} doesn't have (--onnxruntime PYTHON)", peer.python);
      return std::nullopt;
    }
    contender.row.error = what;
    Log().warn("{}: {}", contender.row.name(), what);
    return contender;
  }
  contender.engine = contender.peer->engine();
  contender.row.size_bytes = static_cast<double>(std::filesystem::file_size(options.model.model));
  return contender;
}

std::vector<Contender> MakeContenders(const BenchmarkOptions& options, const GlobalOptions& global) {
  std::vector<Contender> contenders;
  if (IsEngineFile(options.model.model)) {
    const LoadedModel model = LoadModel(options.model, global);
    contenders.push_back({.row = {.format = "tenon", .precision = model.engine.precision()},
                          .engine = model.engine,
                          .peer = {},
                          .batch = model.batch});
    contenders[0].row.size_bytes = static_cast<double>(std::filesystem::file_size(options.model.model));
    return contenders;
  }
  if (!global.quiet)
    PrintDevice(*ChosenDevice(global));
  for (const std::string& precision : ChosenPrecisions(options, *ChosenDevice(global)))
    contenders.push_back(CompileRow(options, precision, global));
  if (auto peer = OnnxRuntimeRow(options, global)) contenders.push_back(std::move(*peer));
  return contenders;
}

/// The first image of the data set that can be read, as the model sees it; random values without one.
std::vector<Tensor> MakeInputs(const Contender& contender, const Dataset* dataset, const HeadOptions& head) {
  std::vector<Tensor> inputs;
  const Engine& engine = *contender.engine;
  const Context context = engine.CreateContext({.threads = 1, .batch = contender.batch});
  for (const TensorInfo& info : context.inputs()) inputs.push_back(RandomTensor(info, 0));
  if (!dataset) return inputs;
  const Detector detector(engine, head.head, 1, contender.batch);
  ImageLoader loader({dataset->samples[0].image_path}, {.preprocess = detector.preprocess()});
  const auto image = loader.Next();
  if (!image || !image->error.empty()) return inputs;
  const auto elems = static_cast<int64_t>(image->tensor.size());
  for (int64_t at = 0; at + elems <= inputs[0].elems(); at += elems)
    std::copy(image->tensor.begin(), image->tensor.end(), inputs[0].data<float>() + at);
  return inputs;
}

void MeasureMap(Contender& contender, const Dataset& dataset, const BenchmarkOptions& options,
                const GlobalOptions& global) {
  Attempt(contender, [&] {
    Detector detector(*contender.engine, options.head.head, global.threads, contender.batch);
    DetectionEvaluator evaluator(dataset);
    EvaluateImages(detector, dataset,
                   {.conf = options.head.conf,
                    .nms = options.head.Nms(),
                    .title = "val " + contender.row.name(),
                    .progress = global.progress()},
                   [&](const ImageDetections& image) { evaluator.Add(image.sample, image.detections, image.plan); });
    contender.row.map50_95 = evaluator.Finish(MetricKind::kUltralytics).metrics.ap50_95;
  });
}

/// What is timed of one row: its context and outputs, or the other process.
class Timed {
 public:
  Timed(Contender& contender, std::span<const void* const> inputs, int threads)
      : contender_(contender), inputs_(inputs) {
    if (contender.peer) {
      Attempt(contender, [&] { contender.peer->SetInputs(inputs); });
      return;
    }
    context_.emplace(contender.engine->CreateContext({.threads = threads, .batch = contender.batch}));
    for (const TensorInfo& info : context_->outputs())
      pointers_.push_back(outputs_.emplace_back(info.dtype, info.shape).raw());
  }
  Runnable ToRunnable() {
    Runnable runnable{.name = contender_.row.name(), .run = {}};
    if (contender_.peer)
      runnable.timed_run = [this] { return contender_.peer->TimedRun(); };
    else
      runnable = ContextRunnable(runnable.name, *context_, inputs_, pointers_);
    // What fails is the row's, not the benchmark's.
    runnable.timed_run = [this, run = runnable.timed_run] {
      double ms = 0;
      Attempt(contender_, [&] { ms = run(); });
      return ms;
    };
    return runnable;
  }

 private:
  Contender& contender_;
  std::span<const void* const> inputs_;
  std::optional<Context> context_;
  std::vector<Tensor> outputs_;
  std::vector<void*> pointers_;
};

LatencyMeasurement MeasureRows(std::vector<Contender>& contenders, const std::vector<Tensor>& inputs,
                               const BenchmarkOptions& options, const GlobalOptions& global) {
  std::vector<const void*> pointers;
  for (const Tensor& input : inputs) pointers.push_back(input.raw());
  std::vector<std::unique_ptr<Timed>> timed;
  std::vector<Contender*> rows;
  std::vector<Runnable> runnables;
  for (Contender& contender : contenders) {
    if (!contender.row.ok()) continue;
    rows.push_back(&contender);
    timed.push_back(std::make_unique<Timed>(contender, pointers, ChosenDevice(global)->host_threads()));
    runnables.push_back(timed.back()->ToRunnable());
  }
  LatencyOptions latency = options.latency;
  latency.progress = global.progress();
  LatencyMeasurement measured = MeasureLatency(runnables, latency);
  const bool has_batch = !inputs.empty() && !inputs[0].shape().empty();
  const double batch = has_batch ? static_cast<double>(inputs[0].shape()[0]) : 1;
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i]->row.latency = measured.rows[i].stats;
    rows[i]->row.fps = batch * 1e3 / std::max(rows[i]->row.latency.median, 1e-6);
  }
  return measured;
}

/// The first that has an engine; where there is none, what the first row says is what the user needs to know.
const Contender& FirstContender(const std::vector<Contender>& contenders) {
  for (const Contender& contender : contenders) {
    if (contender.row.ok()) return contender;
  }
  ThrowInvalid("no row could be measured: {}", contenders.empty() ? "none was asked for" : contenders[0].row.error);
}

CommandResult Benchmark(const BenchmarkOptions& options, const GlobalOptions& global) {
  ChosenDevice(global);  // refused before the work
  if (!options.plot.empty()) CheckWritable(options.plot);
  for (const auto& name : options.precisions) InPrecision(options.model, name, "--precisions");  // refuses unknown ones
  std::optional<Dataset> dataset;
  if (!options.data.data.empty()) dataset = LoadDatasetAndReport(options.data);
  if (!IsEngineFile(options.model.model))
    ImportOnnx(options.model.model, ToImportOptions(options.model));  // what is wrong with it is wrong with every row
  std::vector<Contender> contenders = MakeContenders(options, global);
  const Contender& first = FirstContender(contenders);
  if (dataset) CheckClasses(Detector(*first.engine, options.head.head, 1), *dataset);
  const std::vector<Tensor> inputs = MakeInputs(first, dataset ? &*dataset : nullptr, options.head);
  if (dataset)
    for (Contender& contender : contenders) MeasureMap(contender, *dataset, options, global);
  FirstContender(contenders);
  const LatencyMeasurement measured = MeasureRows(contenders, inputs, options, global);
  FirstContender(contenders);

  std::vector<BenchmarkRow> rows;
  std::string note = measured.Note();
  for (const Contender& contender : contenders) {
    rows.push_back(contender.row);
    if (contender.peer)
      note += fmt::format("; ONNX Runtime {}, whose process counts among the others", contender.peer->version());
  }
  CommandResult result;
  result.json = {{"model", options.model.model},
                 {"device", ChosenDevice(global)->Fingerprint()},
                 {"threads", ChosenDevice(global)->host_threads()},
                 {"rows", BenchmarkJson(rows)},
                 {"images", dataset ? static_cast<int64_t>(dataset->samples.size()) : 0},
                 {"load", ToJson(measured.load)},
                 {"note", note}};
  result.text = BenchmarkTable(rows) + note + "\n";
  if (!options.plot.empty()) {
    WriteTextFileAtomically(options.plot,
                            BenchmarkPlot(rows, std::filesystem::path(options.model.model).filename().string()));
    result.json["plot"] = options.plot;
    result.text += fmt::format("plot in {}\n", options.plot);
  }
  return result;
}

}  // namespace

void AddBenchmark(CLI::App& app, CommandBody& body) {
  auto options = std::make_shared<BenchmarkOptions>();
  CLI::App* command = app.add_subcommand("benchmark", "every precision of this device in one table");
  AddModelFlags(*command, options->model);
  AddDataFlags(*command, options->data);
  command->get_option("--data")->required(false);  // without it there is no mAP
  AddHeadFlags(*command, options->head);
  AddLatencyFlags(*command, options->latency);
  command
      ->add_option("--precisions", options->precisions,
                   "some of fp32,half,int8 (default: what this device computes; int8 with --data)")
      ->delimiter(',');
  command->add_option("--onnxruntime", options->onnxruntime,
                      "Python interpreter with onnxruntime, for a row of the source there (default: "
                      "$TENON_ONNXRUNTIME, else python3 where it has it); none: no such row");
  command->add_option("--plot", options->plot, "SVG file: mAP over latency, or latencies without --data");
  command->callback(
      [options, &body] { body = [options](const GlobalOptions& global) { return Benchmark(*options, global); }; });
}

}  // namespace tenon::cli
