#include <chrono>
#include <filesystem>

#include "base/file.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/int8_options.h"
#include "cli/model_source.h"
#include "cli/number_check.h"
#include "cli/onnx_export.h"
#include "engine/engine_file.h"
#include "runtime/load.h"

namespace tenon::cli {
namespace {

namespace fs = std::filesystem;

struct ExportOptions {
  ModelOptions model;
  std::string output, dump_ir, format = "tenon", precision;
  std::vector<std::string> disable_pass;
  bool dynamic = false, nms = false, add_device = false;
  double workspace = 0;
  Int8Options int8;
};

void RefuseLaterFlags(const ExportOptions& options) {
  const auto refuse = [](bool given, const char* flag) {
    if (given) ThrowInvalid("{} comes with a later release of Tenon", flag);
  };
  refuse(options.dynamic, "--dynamic");
  refuse(options.nms, "--nms");
}

/// --precision fp32|half|int8 sets the same as --half and --int8.
ModelOptions WithPrecision(const ExportOptions& options) {
  ModelOptions model = options.model;
  if (options.precision.empty()) return model;
  if (options.precision != "fp32" && options.precision != "half" && options.precision != "int8") {
    ThrowInvalid(
        {.what = "bad precision", .where = "--precision", .got = options.precision, .expected = "fp32, half or int8"});
  }
  model.half = options.precision == "half";
  model.int8 = options.precision == "int8";
  return model;
}

nlohmann::ordered_json Counts(const Program& plan) {
  std::map<std::string, int> layers = {{"fp32", 0}, {"half", 0}, {"int8", 0}};
  std::map<std::string, double> flops = {{"fp32", 0}, {"half", 0}, {"int8", 0}};
  double total = 0;
  for (const auto& step : plan.steps) {
    const std::string kind = step.compute == DType::kFloat32 ? "fp32" : step.compute == DType::kInt8 ? "int8" : "half";
    ++layers[kind];
    flops[kind] += step.flops;
    total += step.flops;
  }
  nlohmann::ordered_json json;
  for (const char* kind : {"fp32", "half", "int8"}) {
    json["layers"][kind] = layers[kind];
    json["flops_share"][kind] = total > 0 ? flops[kind] / total : 0;
  }
  return json;
}

/// Adds this machine's plan to an engine that was built elsewhere; the file keeps its other plans.
CompileResult AddDevice(const ModelOptions& options, const GlobalOptions& global) {
  CompileResult result;
  result.engine = ReadEngine(options.model);
  const auto device = ChosenDevice(global);
  if (HasPlans(*result.engine, *device)) {
    result.warnings.push_back("the engine has a plan for this machine already");
    return result;
  }
  TimingCache cache = TimingCache::Load(TimingCachePath(options.timing_cache, *device));
  AddPlan(*result.engine, *device, TuneOptionsFor(*result.engine, options, global), cache);
  SaveTimingCache(cache, options.timing_cache, *device);
  return result;
}

/// What --disable-pass, --dump-ir and --workspace say.
CompileOptions CompileFlags(const ExportOptions& options) {
  constexpr double kGiB = 1 << 30;
  return {.dump_ir_dir = options.dump_ir,
          .disabled_passes = {options.disable_pass.begin(), options.disable_pass.end()},
          .source_digest = {},
          .workspace_bytes = static_cast<int64_t>(options.workspace * kGiB)};
}

/// "1, 8, 32"
std::string BatchesText(const EngineModel& model) {
  std::string text;
  for (size_t i = 0; i < model.profile_count(); ++i) text += (i ? ", " : "") + std::to_string(model.profile(i).batch());
  return text;
}

void CheckCalibration(const Int8Options& options) {
  if (options.data.empty())
    ThrowInvalid(
        {.what = "--int8 needs images to calibrate on", .where = "--data", .expected = "a data.yaml or a COCO json"});
  if (!options.calib_file.empty()) CheckWritable(options.calib_file);
}

std::string CalibFile(const ExportOptions& options, const std::string& output) {
  return options.int8.calib_file.empty() ? fs::path(output).replace_extension(".calib").string()
                                         : options.int8.calib_file;
}

CompileResult Build(const ExportOptions& options, const ModelOptions& model, const GlobalOptions& global,
                    const std::string& output) {
  if (options.add_device) return AddDevice(model, global);
  const CompileOptions compile = CompileFlags(options);
  if (!model.int8) return CompileOnnx(model, global, compile);
  ParseOneBatch(model.batch);  // refused before the calibration
  CheckCalibration(options.int8);
  return CompileInt8(model, global, compile, options.int8, CalibFile(options, output));
}

/// --format onnx
CommandResult ExportOnnx(const ExportOptions& options, const ModelOptions& model, const GlobalOptions& global) {
  if (options.add_device || IsEngineFile(model.model))
    ThrowInvalid({.what = "--format onnx is made from an ONNX file", .where = model.model});
  const std::string output = options.output.empty() ? DefaultOnnxName(model) : options.output;
  CheckOnnxOutput(model, output);
  if (model.int8) CheckCalibration(options.int8);
  return WriteOnnxModel(model, global, CompileFlags(options), options.int8, CalibFile(options, output), output);
}

CommandResult Export(const ExportOptions& options, const GlobalOptions& global) {
  RefuseLaterFlags(options);
  const ModelOptions model = WithPrecision(options);
  if (options.format == "onnx") return ExportOnnx(options, model, global);
  const bool is_engine = IsEngineFile(model.model);
  if (is_engine != options.add_device) {
    if (is_engine)
      ThrowInvalid("{} is an engine already: give the ONNX file, or --add-device to add this machine's plan",
                   model.model);
    ThrowInvalid("--add-device adds a plan to an engine, and {} is none", model.model);
  }
  const std::string output =
      !options.output.empty() ? options.output : fs::path(model.model).replace_extension(".tenon").string();
  if (std::error_code error; !is_engine && fs::equivalent(model.model, output, error))
    ThrowInvalid(
        {.what = "the engine would replace its source", .where = output, .hint = "Give another name with -o."});
  CheckWritable(output);
  if (!global.quiet)
    PrintDevice(*ChosenDevice(global));
  const auto start = std::chrono::steady_clock::now();
  const CompileResult result = Build(options, model, global, output);
  const int64_t size = WriteEngine(*result.engine, output);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (const auto& warning : result.warnings) Log().warn("{}", warning);

  const Program& plan = *result.engine->plans.back();
  CommandResult answer;
  answer.json = {{"engine", output},
                 {"size_bytes", size},
                 {"seconds", seconds},
                 {"device", plan.fingerprint},
                 {"precision", plan.precision}};
  answer.json.update(Counts(plan));
  for (size_t i = 0; i < result.engine->profile_count(); ++i)
    answer.json["batches"].push_back(result.engine->profile(i).batch());
  answer.json["warnings"] = result.warnings;
  if (const auto int8 = result.engine->reports.find("int8"); int8 != result.engine->reports.end())
    answer.json["int8"] = int8->second;
  const std::string batches =
      result.engine->profile_count() > 1 ? fmt::format("batch {}, ", BatchesText(*result.engine)) : std::string();
  answer.text = fmt::format("{}: {:.1f} MB, {}, {}{} steps, {:.1f} MB of activations, built in {:.1f} s\n", output,
                            static_cast<double>(size) / 1e6, plan.precision, batches, plan.steps.size(),
                            static_cast<double>(plan.arena_bytes) / 1e6, seconds);
  if (answer.json.contains("int8")) answer.text += "int8\n" + answer.json["int8"].get<std::string>();
  return answer;
}

}  // namespace

void AddExport(CLI::App& app, CommandBody& body) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App* command = app.add_subcommand("export", "compile an ONNX model to an engine for this machine");
  AddModelFlags(*command, options->model);
  command->add_option("-o,--output", options->output, "engine file (default: the source with suffix .tenon)");
  command->add_option("--precision", options->precision, "fp32, half or int8");
  command
      ->add_option("--format", options->format,
                   "tenon: an engine; onnx: what was simplified, and with --int8 quantised (Q/DQ), as ONNX")
      ->check(CLI::IsMember({"tenon", "onnx"}))
      ->capture_default_str();
  command->add_flag("--add-device", options->add_device, "add this machine's plan to an engine");
  command->add_option("--dump-ir", options->dump_ir, "folder for the graph's text after every pass");
  command->add_option("--disable-pass", options->disable_pass, "leave out a pass, by name (to find faults)");
  command
      ->add_option("--workspace", options->workspace,
                   "limit in GiB of what a context takes: activations and scratch memory (default: none)")
      ->check(NumberBetween(0, 1e6));
  command->add_flag("--dynamic", options->dynamic, "a later release");
  command->add_flag("--nms", options->nms, "a later release");
  AddInt8Flags(*command, options->int8);
  command->callback(
      [options, &body] { body = [options](const GlobalOptions& global) { return Export(*options, global); }; });
}

}  // namespace tenon::cli
