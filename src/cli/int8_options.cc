#include "cli/int8_options.h"

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/log.h"
#include "cli/model_import.h"
#include "ops/quantize.h"
#include "passes/pass_list.h"
#include "passes/pass_runner.h"
#include "quantize/assignment.h"
#include "quantize/calibration_file.h"
#include "quantize/quality.h"
#include "runtime/load.h"
#include "verify/accuracy.h"
#include "vision/head.h"

namespace tenon::cli {
namespace {

constexpr size_t kJudgingImages = 64, kDriftImages = 32, kNoiseImages = 4;

/// At most `count` elements, evenly spread.
template <class T>
std::vector<T> Spread(const std::vector<T>& all, size_t count) {
  if (all.size() <= count) return all;
  std::vector<T> some;
  for (size_t i = 0; i < count; ++i) some.push_back(all[i * all.size() / count]);
  return some;
}

std::vector<std::string> Paths(const std::vector<Sample>& samples) {
  std::vector<std::string> paths;
  for (const Sample& sample : samples) paths.push_back(sample.image_path);
  return paths;
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

/// One INT8 build: holds what its steps share.
class Int8Builder {
 public:
  Int8Builder(const ModelOptions& model, const GlobalOptions& global, const CompileOptions& compile,
              const Int8Options& options)
      : model_(model), global_(global), compile_(compile), options_(options), device_(ChosenCpu(global)) {}

  CompileResult Build(const std::string& calib_file) {
    calibrator_ = ParseCalibrator(options_.calibration);
    if (options_.weight_rounding != "nearest") {
      ThrowInvalid({.what = "unknown weight rounding",
                    .where = "--weight-rounding",
                    .got = options_.weight_rounding,
                    .expected = "nearest"});
    }
    ImportFused();
    data_ = LoadCalibrationData(options_);
    LoadPreprocess();
    images_ = {Paths(Spread(data_.samples, static_cast<size_t>(options_.max_images))), preprocess_};
    const Calibration calibration = Calibrate(calib_file);
    Warn(JudgeCalibration(calibration.tensors, calibration.images, calibrator_));
    CheckDrift(calibration.tensors);
    const Assignment assignment = Choose(calibration.tensors);
    InsertQuantization(*graph_, {.calibrator = calibrator_, .int8 = assignment.int8}, calibration.tensors);
    return Compile(calibration, assignment);
  }

 private:
  void ImportFused() {
    graph_ = ImportModel(model_);
    compile_.source_digest = HashFile(model_.model);
    for (const auto& node : graph_->nodes()) {
      if (node->As<QuantizeLinear>())
        ThrowInvalid({.what = "the model carries its own quantisation",
                      .where = node->name(),
                      .hint = "Export it without --int8: its Q and DQ are computed in INT8 as they are."});
    }
    RunPassGroups(*graph_, {}, MakeFloatPassList(), {.dump_dir = "", .disabled = compile_.disabled_passes});
    if (graph_->inputs().size() != 1 || !graph_->inputs()[0]->has_shape() || graph_->inputs()[0]->shape().size() != 4)
      ThrowInvalid({.what = "only models with one image input can be calibrated", .where = model_.model});
  }

  void LoadPreprocess() {
    const Shape& input = graph_->inputs()[0]->shape();
    std::vector<OutputShape> outputs;
    for (size_t i = 0; i < graph_->outputs().size(); ++i)
      outputs.push_back({graph_->output_names()[i], graph_->outputs()[i]->type().shape.value_or(Shape{})});
    const auto forced = options_.head.empty() ? std::nullopt : std::optional(ParseHeadFlag(options_.head));
    preprocess_ = DefaultPreprocess(
        RecogniseHead(graph_->metadata, outputs, static_cast<int>(input[2]), static_cast<int>(input[3]), forced));
  }

  Calibration Calibrate(const std::string& file) {
    const CalibrationKey key = MakeCalibrationKey(compile_.source_digest, *graph_, images_);
    if (std::filesystem::exists(file)) {
      try {
        Calibration known = ParseCalibration(ReadTextFile(file));
        const std::string difference = DescribeDifference(known.key, key);
        if (difference.empty()) {
          Log().info("calibration taken from {}", file);
          return known;
        }
        Log().warn("{} does not fit and is made anew: {}", file, difference);
      } catch (const Error& error) {
        Log().warn("{} is not usable and is made anew: {}", file, error.what());
      }
    }
    Calibration made{.key = key, .images = static_cast<int64_t>(images_.paths.size()), .tensors = {}};
    made.tensors = ObserveConvInputs(*graph_, images_, device_, global_.progress(), "calibrate");
    WriteTextFileAtomically(file, PrintCalibration(made));
    return made;
  }

  void CheckDrift(const StatisticsTable& calibration) {
    if (data_.split == "val") return;
    std::vector<std::string> paths;
    try {
      paths = Paths(Spread(LoadDataset({.data = options_.data, .images = options_.images, .split = "val"}).samples,
                           kDriftImages));
    } catch (const Error&) {
      return;  // no val images to compare with
    }
    const StatisticsTable seen = ObserveConvInputs(*graph_, {paths, preprocess_}, device_, global_.progress(), "drift");
    drift_ = MedianDrift(calibration, seen);
    Warn(JudgeDrift(calibration, seen));
  }

  Assignment Choose(const StatisticsTable& statistics) {
    const NoiseMeter meter(*graph_, statistics, {Spread(images_.paths, kNoiseImages), preprocess_}, device_);
    judging_ = data_;
    std::erase_if(judging_.samples, [](const Sample& sample) { return sample.truths.empty(); });
    judging_.samples = Spread(judging_.samples, kJudgingImages);
    AssignmentOptions choose{
        .calibrator = calibrator_, .map_drop = options_.map_drop, .judge = {}, .progress = global_.progress()};
    if (!judging_.samples.empty()) choose.judge = [this](const Graph& graph) { return MeasureMap(graph); };
    return ChooseAssignment(*graph_, statistics, meter, choose);
  }

  /// mAP50-95 in points on the judging images, in FP32.
  double MeasureMap(const Graph& graph) const {
    const FloatModel model(graph, {}, device_);
    Detector detector(model.engine(), options_.head, global_.threads);
    return 100 * MeasureAccuracy(detector, judging_, {.title = "judge", .progress = global_.progress()})
                     .report.metrics.ap50_95;
  }

  CompileResult Compile(const Calibration& calibration, const Assignment& assignment) {
    compile_.precision = device_.features.avx512_bf16 ? Precision::kHalf : Precision::kFp32;
    compile_.tune = {.effort = model_.effort, .verbose = global_.verbose};
    TimingCache cache = TimingCache::Load(TimingCachePath(model_.timing_cache));
    CompileResult result = CompileForCpu(std::move(graph_), device_, compile_, cache);
    SaveTimingCache(cache, model_.timing_cache);
    result.warnings.insert(result.warnings.begin(), warnings_.begin(), warnings_.end());
    result.engine->reports["int8"] = Report(calibration, assignment);
    result.engine->reports[kInt8Report] = ReportJson(calibration, assignment).dump();
    return result;
  }

  std::string Report(const Calibration& calibration, const Assignment& assignment) const {
    std::string text = fmt::format(
        "  {} convs in INT8, {:.1f}% of the FLOPs; noise {:.4f} of the final tensors' variance ({:.4f} with all "
        "convs)\n"
        "  calibrated on {} images of {} {} with {}",
        assignment.int8.size(), 100 * assignment.flops_share, assignment.noise, assignment.noise_of_all,
        calibration.images, data_.source, data_.split, options_.calibration);
    if (drift_) text += fmt::format("; drift from val {:.3f} nats (median KL)", *drift_);
    text += "\n";
    if (assignment.map_int8) {
      text += fmt::format("  mAP50-95 on {} of them: {:.2f} simulated, {:.2f} in FP32\n", judging_.samples.size(),
                          *assignment.map_int8, *assignment.map_float);
    }
    for (const KeptLayer& layer : assignment.kept) {
      text += fmt::format("  not in INT8: {} (noise {:.4f} by itself, {:.2f}% of the FLOPs)\n", layer.node, layer.noise,
                          100 * layer.flops_share);
    }
    return text;
  }

  nlohmann::ordered_json ReportJson(const Calibration& calibration, const Assignment& assignment) const {
    nlohmann::ordered_json json = {{"calibration",
                                    {{"images", calibration.images},
                                     {"data", data_.source},
                                     {"split", data_.split},
                                     {"calibrator", options_.calibration},
                                     {"weight_rounding", options_.weight_rounding},
                                     {"drift", nullptr}}},
                                   {"int8", assignment.int8},
                                   {"flops_share", assignment.flops_share},
                                   {"noise", assignment.noise},
                                   {"noise_of_all", assignment.noise_of_all},
                                   {"judging_images", judging_.samples.size()},
                                   {"map_float", nullptr},
                                   {"map_int8", nullptr},
                                   {"kept", nlohmann::ordered_json::array()}};
    if (drift_) json["calibration"]["drift"] = *drift_;
    if (assignment.map_float) json["map_float"] = *assignment.map_float / 100;
    if (assignment.map_int8) json["map_int8"] = *assignment.map_int8 / 100;
    for (const KeptLayer& layer : assignment.kept) {
      json["kept"].push_back(
          {{"layer", layer.node}, {"reason", "accuracy"}, {"noise", layer.noise}, {"flops_share", layer.flops_share}});
    }
    return json;
  }

  void Warn(const std::vector<std::string>& warnings) {
    warnings_.insert(warnings_.end(), warnings.begin(), warnings.end());
  }

  const ModelOptions& model_;
  const GlobalOptions& global_;
  CompileOptions compile_;
  const Int8Options& options_;
  const CpuDevice device_;
  Calibrator calibrator_ = Calibrator::kMse;
  std::unique_ptr<Graph> graph_;  ///< the fused float graph
  Dataset data_, judging_;
  Preprocess preprocess_;
  CalibrationImages images_;
  std::optional<double> drift_;
  std::vector<std::string> warnings_;
};

}  // namespace

void AddInt8Flags(CLI::App& command, Int8Options& options) {
  command.add_option("--data", options.data, "calibration data for --int8: data.yaml or a COCO json (with --images)");
  command.add_option("--images", options.images, "folder of the images of a COCO json");
  command.add_option("--split", options.split, "images to calibrate on (default: train, or val where there is none)");
  command.add_option("--fraction", options.fraction, "use only the first part of the images")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--calibration", options.calibration, "mse, entropy, percentile or minmax")->capture_default_str();
  command.add_option("--calib", options.calib_file, "calibration file (default: the engine's name with suffix .calib)");
  command.add_option("--max-images", options.max_images, "calibrate on at most so many images, evenly spread")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--weight-rounding", options.weight_rounding, "nearest")->capture_default_str();
  command.add_option("--map-drop", options.map_drop, "points of mAP50-95 that INT8 may cost")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  command.add_option("--head", options.head, "how the outputs spell boxes, where it isn't recognised");
}

CompileResult CompileInt8(const ModelOptions& model, const GlobalOptions& global, const CompileOptions& compile,
                          const Int8Options& options, const std::string& calib_file) {
  return Int8Builder(model, global, compile, options).Build(calib_file);
}

}  // namespace tenon::cli
