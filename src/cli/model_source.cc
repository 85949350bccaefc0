#include "cli/model_source.h"

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "base/log.h"
#include "cli/model_import.h"
#include "engine/engine_file.h"
#include "onnx/importer.h"
#include "quantize/int8_build.h"
#include "runtime/load.h"

namespace tenon::cli {
namespace {

namespace fs = std::filesystem;

int64_t ParseSide(const std::string& text, const std::string& whole) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > 16384) {
    ThrowInvalid(
        {.what = "bad image size", .where = "--imgsz", .got = whole, .expected = "N or H,W in pixels, 1 to 16384"});
  }
  return value;
}

}  // namespace

std::vector<int64_t> ParseBatches(const std::string& text) {
  std::set<int64_t> batches;
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find(',', start), text.size());
    int64_t batch = 0;
    const auto [last, error] = std::from_chars(text.data() + start, text.data() + end, batch);
    if (error != std::errc() || last != text.data() + end || batch < 1 || batch > 1024 || end + 1 == text.size()) {
      ThrowInvalid({.what = "bad batch size",
                    .where = "--batch",
                    .got = text,
                    .expected = "N, or for export N,N,..., each 1 to 1024"});
    }
    batches.insert(batch);
    start = end + 1;
  }
  return {batches.begin(), batches.end()};
}

std::optional<int64_t> ParseOneBatch(const std::string& text) {
  const std::vector<int64_t> batches = ParseBatches(text);
  if (batches.size() > 1)
    ThrowInvalid({.what = "several batch sizes",
                  .where = "--batch",
                  .got = text,
                  .expected = "one",
                  .hint = "tenon export builds one engine for several, without --int8 and as --format tenon."});
  return batches.empty() ? std::nullopt : std::optional(batches[0]);
}

ImportOptions ToImportOptions(const ModelOptions& options) {
  const ImageSize size = ParseImageSize(options.imgsz);
  return {.batch = ParseOneBatch(options.batch), .height = size.height, .width = size.width, .input_shapes = {}};
}

namespace {

void KeepBuiltPlan(const EngineModel& model, const fs::path& cached) {
  std::error_code ignored;  // the write says why it failed
  fs::create_directories(cached.parent_path(), ignored);
  try {
    WriteEngine(model, cached.string());
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInterrupted) throw;
    Log().warn("the plan is not kept and will be built again: {}", error.what());
  }
}

/// The engine with a plan for this machine added, from the cache of such builds or built now.
std::shared_ptr<EngineModel> BuildPlanHere(std::shared_ptr<EngineModel> model, const ModelOptions& options,
                                           const GlobalOptions& global, const Device& device) {
  const Digest digest = HashString(HashFile(options.model).ToString() + device.Fingerprint());
  const fs::path cached = fs::path(CacheFolder()) / "engines" / (digest.ToString() + ".tenon");
  if (std::error_code ignored; fs::exists(cached, ignored)) {
    try {
      auto built = ReadEngine(cached.string());
      if (HasPlans(*built, device)) return built;
    } catch (const Error& error) {
      Log().warn("a cached plan is not usable and is built again: {}", error.what());
    }
  }
  TimingCache timing = TimingCache::Load(TimingCachePath(options.timing_cache, device));
  AddPlan(*model, device, TuneOptionsFor(*model, options, global), timing);
  SaveTimingCache(timing, options.timing_cache, device);
  KeepBuiltPlan(*model, cached);
  return model;
}

void RefusePrecisionFlags(const ModelOptions& options) {
  if (!options.half && !options.int8 && options.imgsz.empty()) return;
  Log().warn("{} is an engine: --half, --int8 and --imgsz were decided when it was built and are ignored",
             options.model);
}

}  // namespace

std::string CacheFolder() {
  const char* xdg = std::getenv("XDG_CACHE_HOME");
  if (xdg && *xdg) return (fs::path(xdg) / "tenon").string();
  const char* home = std::getenv("HOME");
  return (fs::path(home && *home ? home : "/tmp") / ".cache" / "tenon").string();
}

void AddModelFlags(CLI::App& command, ModelOptions& options) {
  command.add_option("model", options.model, "ONNX file or Tenon engine (.tenon)")->required();
  command.add_flag("--half", options.half, "compile an ONNX file in half precision (BF16 on CPUs)");
  command.add_flag("--int8", options.int8, "INT8 where it keeps the mAP (tenon export, with --data)");
  command.add_option("--imgsz", options.imgsz, "input size N or H,W for models that leave it open");
  command.add_option("--batch", options.batch,
                     "batch size for models that leave it open (export: N,N,... for several); of an engine, the "
                     "smallest that holds N");
  command.add_option("--timing-cache", options.timing_cache,
                     "file with the measured tactics (default: under $XDG_CACHE_HOME/tenon)");
  command.add_option("--effort", options.effort, "0: no timing, 3: try every tactic")
      ->check(CLI::Range(0, 3))
      ->capture_default_str();
  command.add_flag("--exact", options.exact, "no Winograd convolutions: sums in the reference's order, and slower");
  command.add_flag("--build", options.build, "build a plan for this machine when the engine has none");
}

TuneOptions TuneOptionsOf(const ModelOptions& options, const GlobalOptions& global) {
  return {.effort = options.effort,
          .own_rounding = options.exact ? OwnRounding::kNone : OwnRounding::kFloats,
          .verbose = global.verbose,
          .progress = global.progress()};
}

TuneOptions TuneOptionsFor(const EngineModel& engine, const ModelOptions& options, const GlobalOptions& global) {
  TuneOptions tune = TuneOptionsOf(options, global);
  if (engine.reports.contains(kInt8Report)) AllowRoundedIntegers(tune);
  return tune;
}

ImageSize ParseImageSize(const std::string& text) {
  if (text.empty()) return {};
  const size_t comma = text.find(',');
  if (comma == std::string::npos) return {ParseSide(text, text), ParseSide(text, text)};
  return {ParseSide(text.substr(0, comma), text), ParseSide(text.substr(comma + 1), text)};
}

std::string TimingCachePath(const std::string& flag, const Device& device) {
  return flag.empty() ? (fs::path(CacheFolder()) / (std::string(device.kind()) + ".timing")).string() : flag;
}

void SaveTimingCache(const TimingCache& cache, const std::string& flag, const Device& device) {
  try {
    cache.Save(TimingCachePath(flag, device));
  } catch (const Error& error) {
    if (!flag.empty() || error.code() == ErrorCode::kInterrupted) throw;
    Log().warn("measured tactics are not kept and will be measured again: {}", error.what());
  }
}

std::unique_ptr<Graph> ImportModel(const ModelOptions& options) {
  return ImportOnnx(options.model, ToImportOptions(options));
}

namespace {

/// The model at each of --batch.
std::vector<std::unique_ptr<Graph>> ImportBatches(const ModelOptions& options) {
  const std::vector<int64_t> batches = ParseBatches(options.batch);
  std::vector<std::unique_ptr<Graph>> graphs;
  if (batches.empty()) graphs.push_back(ImportModel(options));
  for (const int64_t batch : batches) {
    ModelOptions one = options;
    one.batch = std::to_string(batch);
    graphs.push_back(ImportModel(one));
  }
  return graphs;
}

}  // namespace

int EngineBatch(const ModelOptions& options, const EngineModel& model) {
  const int64_t batch = ParseOneBatch(options.batch).value_or(0);
  std::string sizes;
  for (size_t i = 0; i < model.profile_count(); ++i) {
    if (batch <= model.profile(i).batch()) return static_cast<int>(batch);
    sizes += (sizes.empty() ? "" : ", ") + std::to_string(model.profile(i).batch());
  }
  ThrowInvalid(
      {.what = "the engine has no plan for such a batch",
       .where = options.model,
       .got = fmt::format("--batch {}", batch),
       .expected = fmt::format("at most {} (it has {})", model.profile(model.profile_count() - 1).batch(), sizes),
       .hint = "Export the model again with that size among --batch."});
}

CompileResult CompileOnnx(const ModelOptions& options, const GlobalOptions& global, const CompileOptions& compile) {
  if (options.int8) {
    ThrowInvalid({.what = "--int8 needs calibration",
                  .where = options.model,
                  .hint = "Make an engine with tenon export --int8 --data DATA and give that, or use --half."});
  }
  CompileOptions full = compile;
  full.precision = options.half ? Precision::kHalf : Precision::kFp32;
  full.tune = TuneOptionsOf(options, global);
  auto graphs = ImportBatches(options);
  full.source_digest = HashFile(options.model);
  const auto chosen = ChosenDevice(global);
  const Device& device = *chosen;
  TimingCache cache = TimingCache::Load(TimingCachePath(options.timing_cache, device));
  const std::string before = cache.ToText();
  CompileResult result = CompileFor(std::move(graphs), device, full, cache);
  if (cache.ToText() != before) SaveTimingCache(cache, options.timing_cache, device);
  return result;
}

/// The device to run an engine on: what --device says; by default the GPU where the engine has a plan for it, or nobody
/// else's.
std::shared_ptr<const Device> DeviceFor(const EngineModel& model, const GlobalOptions& global) {
  const auto chosen = ChosenDevice(global);
  if (!global.device.empty() || chosen->kind() == "cpu" || HasPlans(model, *chosen)) return chosen;
  const auto cpu = ChosenCpu(global);
  return HasPlans(model, *cpu) ? cpu : chosen;
}

LoadedModel LoadModel(const ModelOptions& options, const GlobalOptions& global) {
  const bool is_engine = IsEngineFile(options.model);
  if (ParseDeviceFlag(global.device).kind == DeviceFlag::Kind::kReference) {
    if (!global.quiet) fmt::print(stderr, "device: reference evaluator, 1 threads\n");
    if (is_engine) ThrowInvalid("--device reference runs ONNX files, not engines ({})", options.model);
    return {MakeReferenceEngine(ImportModel(options)), nullptr, nullptr, {}};
  }
  if (is_engine) {
    RefusePrecisionFlags(options);
    auto model = ReadEngine(options.model);
    const int batch = EngineBatch(options, *model);
    const auto device = DeviceFor(*model, global);
    if (!global.quiet) PrintDevice(*device);
    if (options.build && !HasPlans(*model, *device)) model = BuildPlanHere(model, options, global, *device);
    return {MakeEngine(model, *device), device, model, {}, batch};
  }
  ParseOneBatch(options.batch);
  if (fs::path(options.model).extension() == ".tenon") ReadEngine(options.model);  // says what is wrong with it
  const auto device = ChosenDevice(global);
  if (!global.quiet) PrintDevice(*device);
  CompileResult result = CompileOnnx(options, global, {});
  for (const auto& warning : result.warnings) Log().warn("{}", warning);
  return {MakeEngine(result.engine, *device), device, result.engine, std::move(result.warnings)};
}

}  // namespace tenon::cli
