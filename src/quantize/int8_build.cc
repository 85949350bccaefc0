#include "quantize/int8_build.h"

#include <fmt/ranges.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "ops/quantize.h"
#include "passes/pass_list.h"
#include "passes/pass_runner.h"
#include "quantize/assignment.h"
#include "quantize/calibration_file.h"
#include "quantize/equalize.h"
#include "quantize/findings.h"
#include "quantize/insert.h"
#include "quantize/int8_report.h"
#include "quantize/quality.h"
#include "quantize/quantizable_convs.h"
#include "quantize/uneven_tensors.h"

namespace tenon {
namespace {

constexpr size_t kDriftImages = 32, kNoiseImages = 4, kEqualiseImages = 32, kRoundingImages = 32;

/// At most `count` of the images, evenly spread.
CalibrationImages ImagesOf(const Dataset& data, const Preprocess& preprocess, size_t count) {
  CalibrationImages images{.paths = {}, .preprocess = preprocess};
  const size_t all = data.samples.size();
  count = std::min(count, all);
  for (size_t i = 0; i < count; ++i) images.paths.push_back(data.samples[i * all / count].image_path);
  return images;
}

Head HeadOf(const Graph& graph, const std::string& flag) {
  const Shape& input = graph.inputs()[0]->shape();
  std::vector<OutputShape> outputs;
  for (size_t i = 0; i < graph.outputs().size(); ++i)
    outputs.push_back({graph.output_names()[i], graph.outputs()[i]->type().shape.value_or(Shape{})});
  const auto forced = flag.empty() ? std::nullopt : std::optional(ParseHeadFlag(flag));
  return RecogniseHead(graph.metadata, outputs, static_cast<int>(input[2]), static_cast<int>(input[3]), forced);
}

void CheckCanCalibrate(const Graph& graph) {
  for (const auto& node : graph.nodes()) {
    if (node->As<QuantizeLinear>())
      ThrowInvalid({.what = "the model carries its own quantisation",
                    .where = node->name(),
                    .hint = "Export it without --int8: its Q and DQ are computed in INT8 as they are."});
  }
  if (graph.inputs().size() != 1 || !graph.inputs()[0]->has_shape() || graph.inputs()[0]->shape().size() != 4)
    ThrowInvalid({.what = "only models with one image input can be calibrated", .where = graph.name});
}

/// Every conv's input is there, with its channels.
bool Fits(const StatisticsTable& table, const Graph& fused) {
  for (const QuantizableConv& conv : FindQuantizableConvs(fused)) {
    const auto found = table.find(conv.input->name());
    if (found == table.end() || static_cast<int64_t>(found->second.channels().size()) != conv.input->shape()[1])
      return false;
  }
  return true;
}

/// One build: holds what its steps share.
class Int8Builder {
 public:
  Int8Builder(std::unique_ptr<Graph> model, const Device& device, const Int8BuildOptions& options, TimingCache& cache)
      : fused_(Fuse(std::move(model), options)),
        device_(device.Share()),
        options_(options),
        cache_(cache),
        head_(HeadOf(*fused_, options.head)),
        images_(ImagesOf(options.images, DefaultPreprocess(head_), options.images.samples.size())),
        judge_(*fused_, options.images, head_, device, RestPrecision(), options.compile.tune.own_rounding,
               options.progress),
        findings_(options.findings ? options.findings : std::make_shared<Int8Findings>()),
        images_key_(HashString(fmt::format("{}", fmt::join(images_.paths, "\n"))).ToString() + " ") {}

  QuantizedModel Quantize() {
    Observe();
    Warn(JudgeCalibration(all_, calibration_.observed.images, options_.calibrator));
    CheckDrift();
    const Assignment assignment = Choose();
    if (assignment.verdict && assignment.verdict->Rejects(options_.map_drop, assignment.noise)) {
      Warn({fmt::format(
          "INT8 is expected to cost {:.2f} points of mAP50-95 ({:.2f} on the calibration images), more than "
          "--map-drop {}",
          assignment.verdict->ExpectedDrop(assignment.noise),
          assignment.verdict->map_float - assignment.verdict->map_int8, options_.map_drop)});
    }
    const Int8Facts facts{options_, assignment, calibration_.observed.images, drift_, equalised_};
    return {.graph = Quantized(assignment.int8),
            .report = DescribeInt8(facts),
            .json = Int8ToJson(facts).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
            .warnings = warnings_};
  }

  double NoiseOfAll() {
    Observe();
    return Noise(QuantizableConvNames(*fused_));
  }

  CompileResult Build() {
    QuantizedModel model = Quantize();
    CompileResult result = Compile(std::move(model.graph), options_.compile.tune);
    result.warnings.insert(result.warnings.begin(), model.warnings.begin(), model.warnings.end());
    result.engine->reports[kInt8Text] = model.report;
    result.engine->reports[kInt8Report] = model.json;
    return result;
  }

 private:
  static std::unique_ptr<Graph> Fuse(std::unique_ptr<Graph> model, const Int8BuildOptions& options) {
    CheckCanCalibrate(*model);
    RunPassGroups(*model, {}, MakeFloatPassList(), {.dump_dir = "", .disabled = options.compile.disabled_passes});
    return model;
  }

  CalibrationImages Some(size_t count) const { return ImagesOf(options_.images, images_.preprocess, count); }

  Precision RestPrecision() const { return device_->half_type() ? Precision::kHalf : Precision::kFp32; }

  void Observe() {
    Equalise();
    judge_.TakeFloat(findings_->float_detections[images_key_]);
    calibration_ = Calibrate();
    all_ = calibration_.observed.All();
    if (options_.weight_rounding == WeightRounding::kAdaRound)
      weights_ = RoundConvWeights(*fused_, Some(kRoundingImages), all_, *device_, options_.progress);
  }

  /// Before anything else is observed: what is stored in 8 bits are the tensors of the equalised graph.
  void Equalise() {
    if (device_->kind() != "cpu") return;  // other backends store one scale a tensor
    const CalibrationImages images = Some(kEqualiseImages);
    if (options_.equalise) {
      const SplitStatistics seen = ObserveConvInputs(*fused_, images, *device_, options_.progress, "equalise");
      equalised_ = EqualizeChannels(*fused_, seen.All());
      return;
    }
    const UnevenChoice& choice = findings_->uneven.Get(images_key_, [&] {
      return ChooseUnevenTensors(*fused_, images, Some(kNoiseImages), *device_, QuietNoise(options_.map_drop),
                                 options_.progress);
    });
    if (!choice.convs.empty()) equalised_ = EqualizeChannels(*fused_, choice.seen, &choice.convs);
  }

  /// From the file, where that fits; else from the images.
  Calibration Calibrate() {
    const CalibrationKey key = MakeCalibrationKey(options_.compile.source_digest, *fused_, images_);
    if (auto known = ReadCalibration(key)) return *std::move(known);
    Calibration made{.key = key, .observed = {}};
    made.observed =
        ObserveConvInputs(*fused_, images_, *device_, options_.progress, "calibrate",
                          [&](const FloatModel& model, int64_t place, size_t index, const LetterboxPlan& plan) {
                            judge_.ShowFloat(model.outputs(), place, index, plan);
                          });
    Keep(made);
    return made;
  }

  void Keep(const Calibration& made) const {
    try {
      WriteTextFileAtomically(options_.calib_file, PrintCalibration(made));
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kInterrupted) throw;
      Log().warn("the calibration is not kept and will be made again: {}", error.what());
    }
  }

  std::optional<Calibration> ReadCalibration(const CalibrationKey& key) const {
    const std::string& file = options_.calib_file;
    if (std::error_code ignored; !std::filesystem::exists(file, ignored)) return {};
    try {
      Calibration known = ParseCalibration(ReadTextFile(file));
      std::string difference = DescribeDifference(known.key, key);
      if (difference.empty() && !Fits(known.observed.halves[0], *fused_)) difference = "other tensors";
      if (difference.empty()) {
        Log().info("calibration taken from {}", file);
        return known;
      }
      Log().warn("{} does not fit and is made anew: {}", file, difference);
    } catch (const Error& error) {
      Log().warn("{} is not usable and is made anew: {}", file, error.what());
    }
    return {};
  }

  void CheckDrift() {
    if (!options_.val) return;
    drift_ = findings_->drift.Get(images_key_, [&] {
      const SplitStatistics seen = ObserveConvInputs(*fused_, ImagesOf(*options_.val, images_.preprocess, kDriftImages),
                                                     *device_, options_.progress, "drift");
      return JudgeDrift(calibration_.observed, seen.All(), seen.images);
    });
    if (!drift_->warning.empty()) Warn({drift_->warning});
  }

  Assignment Choose() {
    AssignmentTools tools{.progress = options_.progress};
    tools.noise = [this](const std::set<std::string>& int8) { return Noise(int8); };
    if (options_.compile.tune.effort > 0)
      tools.times = [this](const std::set<std::string>& int8) { return Time(int8); };
    if (judge_.CanJudge()) tools.judge = [this](const std::set<std::string>& int8) { return Ask(int8); };
    return ChooseAssignment(*fused_, options_.map_drop, tools);
  }

  /// @param memo of the statistics that go with them
  InsertOptions ToInsertOptions(const std::set<std::string>& int8, QuantizationMemo* memo) const {
    return {.calibrator = options_.calibrator, .int8 = int8, .weights = &weights_, .memo = memo};
  }

  double Noise(const std::set<std::string>& int8) {
    const InsertOptions insert = ToInsertOptions(int8, &memos_[2]);
    return findings_->noise.Get(images_key_ + KeyOf(insert), [&] {
      if (!meter_) meter_.emplace(*fused_, all_, Some(kNoiseImages), *device_);
      return meter_->Measure(insert);
    });
  }

  std::unique_ptr<Graph> Quantized(const std::set<std::string>& int8, const StatisticsTable& statistics,
                                   QuantizationMemo& memo) const {
    std::unique_ptr<Graph> graph = fused_->Clone();
    InsertQuantization(*graph, ToInsertOptions(int8, &memo), statistics);
    return graph;
  }

  std::unique_ptr<Graph> Quantized(const std::set<std::string>& int8) { return Quantized(int8, all_, memos_[2]); }

  Verdict Ask(const std::set<std::string>& int8) {
    return findings_->verdicts.Get(images_key_ + KeyOf(ToInsertOptions(int8, nullptr)), [&] {
      const auto& halves = calibration_.observed.halves;
      const Verdict verdict =
          judge_.Ask({Quantized(int8, halves[0], memos_[0]), Quantized(int8, halves[1], memos_[1])});
      findings_->float_detections[images_key_] = judge_.FloatDetections();
      return verdict;
    });
  }

  CompileResult Compile(std::unique_ptr<Graph> quantized, const TuneOptions& tune) {
    CompileOptions compile = options_.compile;
    compile.precision = RestPrecision();
    compile.tune = tune;
    AllowRoundedIntegers(compile.tune);
    return CompileFor(std::move(quantized), *device_, compile, cache_);
  }

  /// Ranges don't change what a program takes.
  ProgramTimes Time(const std::set<std::string>& int8) {
    return findings_->times.Get(fmt::format("effort {} {}", options_.compile.tune.effort, fmt::join(int8, " ")),
                                [&] { return TimeProgram(int8); });
  }

  ProgramTimes TimeProgram(const std::set<std::string>& int8) {
    TuneOptions tune = options_.compile.tune;
    tune.progress = Progress::Mode::kQuiet;
    const CompileResult result = Compile(Quantized(int8), tune);
    ProgramTimes times;
    const std::vector<ProgramStep>& steps = result.engine->plans[0]->steps;
    for (size_t i = 0; i < steps.size(); ++i) {
      times.total_us += result.step_us[i];
      times.step_us.emplace(steps[i].name, result.step_us[i]);
    }
    return times;
  }

  void Warn(const std::vector<std::string>& warnings) {
    warnings_.insert(warnings_.end(), warnings.begin(), warnings.end());
  }

  const std::unique_ptr<Graph> fused_;
  const std::shared_ptr<const Device> device_;
  const Int8BuildOptions& options_;
  TimingCache& cache_;
  const Head head_;
  const CalibrationImages images_;
  Judge judge_;
  Calibration calibration_;
  StatisticsTable all_;                    ///< of both halves
  WeightTable weights_;                    ///< rounded together, where that was asked for
  std::array<QuantizationMemo, 3> memos_;  ///< of the halves, and of both
  int equalised_ = 0;                      ///< tensors
  std::optional<NoiseMeter> meter_;
  const std::shared_ptr<Int8Findings> findings_;
  const std::string images_key_;
  std::optional<Drift> drift_;
  std::vector<std::string> warnings_;
};

}  // namespace

QuantizedModel QuantizeInt8(std::unique_ptr<Graph> model, const Device& device, const Int8BuildOptions& options,
                            TimingCache& cache) {
  return Int8Builder(std::move(model), device, options, cache).Quantize();
}

double NoiseOfAllInt8(std::unique_ptr<Graph> model, const Device& device, const Int8BuildOptions& options,
                      TimingCache& cache) {
  return Int8Builder(std::move(model), device, options, cache).NoiseOfAll();
}

CompileResult BuildInt8(std::unique_ptr<Graph> model, const Device& device, const Int8BuildOptions& options,
                        TimingCache& cache) {
  return Int8Builder(std::move(model), device, options, cache).Build();
}

}  // namespace tenon
