#include "cli/int8_options.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "cli/model_import.h"
#include "cli/number_check.h"
#include "quantize/int8_build.h"
#include "vision/dataset.h"

namespace tenon::cli {
namespace {

/// At most `count` images, evenly spread.
void Spread(Dataset& data, size_t count) {
  if (data.samples.size() <= count) return;
  std::vector<Sample> some;
  for (size_t i = 0; i < count; ++i) some.push_back(data.samples[i * data.samples.size() / count]);
  data.samples = std::move(some);
}

/// The part that --split names; without it the training images, where the data set says which these are.
Dataset LoadCalibrationData(const Int8Options& options) {
  DatasetOptions data{
      .data = options.data, .images = options.images, .split = options.split, .fraction = options.fraction};
  if (!options.split.empty()) return LoadDataset(data);
  try {
    data.split = "train";
    return LoadDataset(data);
  } catch (const Error& error) {
    Log().info("no train images ({}): calibrating on val", error.what());
    data.split = "val";
    return LoadDataset(data);
  }
}

/// What the model is judged on later, unless it is calibrated on the same.
std::optional<Dataset> LoadValData(const Int8Options& options, const Dataset& calibration) {
  if (calibration.split == "val") return {};
  try {
    return LoadDataset({.data = options.data, .images = options.images, .split = "val"});
  } catch (const Error&) {
    return {};  // nothing to compare with
  }
}

Int8BuildOptions ToBuildOptions(const ModelOptions& model, const GlobalOptions& global, const CompileOptions& compile,
                                const Int8Options& options, const std::string& calib_file) {
  Int8BuildOptions build{.images = {},
                         .val = {},
                         .map_drop = options.map_drop,
                         .head = options.head,
                         .calib_file = calib_file,
                         .compile = compile,
                         .progress = global.progress(),
                         .findings = options.findings};
  build.calibrator = ParseCalibrator(options.calibration);
  build.weight_rounding = ParseWeightRounding(options.weight_rounding);
  build.equalise = options.equalise;
  build.compile.source_digest = HashFile(model.model);
  build.compile.tune = TuneOptionsOf(model, global);
  build.images = LoadCalibrationData(options);
  Spread(build.images, static_cast<size_t>(options.max_images));
  build.val = LoadValData(options, build.images);
  return build;
}

}  // namespace

void AddInt8Flags(CLI::App& command, Int8Options& options) {
  command.add_option("--data", options.data, "calibration data for --int8: data.yaml or a COCO json (with --images)");
  command.add_option("--images", options.images, "folder of the images of a COCO json");
  command.add_option("--split", options.split, "images to calibrate on (default: train, or val where there is none)");
  command.add_option("--fraction", options.fraction, "use only the first part of the images")
      ->check(NumberBetween(0, 1))
      ->capture_default_str();
  command.add_option("--calibration", options.calibration, "mse, entropy, percentile or minmax")->capture_default_str();
  command.add_option("--calib", options.calib_file, "calibration file (default: the engine's name with suffix .calib)");
  command.add_option("--max-images", options.max_images, "calibrate on at most so many images, evenly spread")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000}))
      ->capture_default_str();
  command.add_flag("--equalise", options.equalise,
                   "cross-layer equalisation of all tensors that gain by it, not only of those that make the noise (CPUs)");
  command.add_option("--weight-rounding", options.weight_rounding, "nearest or adaround")->capture_default_str();
  command.add_option("--map-drop", options.map_drop, "points of mAP50-95 that INT8 may cost")
      ->check(NumberBetween(0, 100))
      ->capture_default_str();
  command.add_option("--head", options.head, "how the outputs spell boxes, where it isn't recognised");
}

QuantizedModel QuantizeOnnx(const ModelOptions& model, const GlobalOptions& global, const CompileOptions& compile,
                            const Int8Options& options, const std::string& calib_file) {
  Int8BuildOptions build = ToBuildOptions(model, global, compile, options, calib_file);
  build.compile.tune.own_rounding = OwnRounding::kNone;  // judged as others will run the file
  const auto device = ChosenDevice(global);
  TimingCache cache = TimingCache::Load(TimingCachePath(model.timing_cache, *device));
  QuantizedModel result = QuantizeInt8(ImportModel(model), *device, build, cache);
  SaveTimingCache(cache, model.timing_cache, *device);
  return result;
}

double MeasureNoiseOfAllInt8(const ModelOptions& model, const GlobalOptions& global, const Int8Options& options,
                             const std::string& calib_file) {
  TimingCache unused;
  return NoiseOfAllInt8(ImportModel(model), *ChosenDevice(global),
                        ToBuildOptions(model, global, {}, options, calib_file), unused);
}

CompileResult CompileInt8(const ModelOptions& model, const GlobalOptions& global, const CompileOptions& compile,
                          const Int8Options& options, const std::string& calib_file) {
  const Int8BuildOptions build = ToBuildOptions(model, global, compile, options, calib_file);
  const auto device = ChosenDevice(global);
  TimingCache cache = TimingCache::Load(TimingCachePath(model.timing_cache, *device));
  CompileResult result = BuildInt8(ImportModel(model), *device, build, cache);
  SaveTimingCache(cache, model.timing_cache, *device);
  return result;
}

}  // namespace tenon::cli
