#include "cli/ship_search.h"

#include <fmt/ranges.h>

#include <chrono>
#include <filesystem>

#include "base/log.h"
#include "cli/json_fields.h"
#include "cli/model_import.h"
#include "cli/precisions.h"
#include "engine/engine_file.h"
#include "ops/quantize.h"
#include "quantize/findings.h"

namespace tenon::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Who quantises.
enum class Quantisation { kCalibration, kOwn };

/// Models that carry Q/DQ are INT8 as they are.
Quantisation QuantisationOf(const ModelOptions& model) {
  const auto graph = ImportModel(model);
  for (const auto& node : graph->nodes()) {
    if (node->As<QuantizeLinear>() || node->As<DequantizeLinear>()) return Quantisation::kOwn;
  }
  return Quantisation::kCalibration;
}

/// Share of the FLOPs of all steps.
double Int8Share(const Program& plan) {
  double total = 0, int8 = 0;
  for (const ProgramStep& step : plan.steps) {
    total += step.flops;
    if (step.compute == DType::kInt8) int8 += step.flops;
  }
  return total > 0 ? int8 / total : 0;
}

/// The number of images that an engine's INT8 was calibrated on; 0 where it was not.
int64_t CalibrationImages(const EngineModel& engine) {
  const auto found = engine.reports.find(kInt8Report);
  if (found == engine.reports.end()) return 0;
  return static_cast<int64_t>(
      Number(Child(Json::parse(found->second, nullptr, false), "calibration"), "images").value_or(0));
}

class ShipSearch {
 public:
  ShipSearch(const ShipOptions& options, const GlobalOptions& global)
      : options_(options),
        global_(global),
        device_(ChosenDevice(global)),
        quantisation_(QuantisationOf(options.model)),
        session_(options.model.model, options.model, options.judge, global) {}

  ShipResult Run() {
    for (const std::string& precision : Precisions()) {
      const Verdict verdict = TryPrecision(precision);
      if (verdict != Verdict::kGaveUp) break;
    }
    return std::move(result_);
  }

 private:
  enum class Verdict { kShipped, kGaveUp, kStop };

  std::vector<std::string> Precisions() {
    const auto& asked = options_.precisions;
    if (quantisation_ == Quantisation::kOwn) {
      if (!asked.empty() && asked != std::vector<std::string>{"int8"})
        ThrowInvalid({.what = "the model carries its own quantisation and runs in INT8 as it is",
                      .where = "--precision",
                      .got = asked.front(),
                      .expected = "int8"});
      return {"int8"};
    }
    if (!asked.empty()) return asked;
    std::vector<std::string> names;
    std::vector<PrecisionSupport> supported = PrecisionsOf(*device_);
    for (auto precision = supported.rbegin(); precision != supported.rend(); ++precision) {  // fastest first
      if (precision->native)
        names.push_back(precision->name);
      else
        GiveUp(precision->name, "this CPU lacks " + precision->missing);
    }
    return names;
  }

  ShipPlan PlanFor(const std::string& precision) const {
    const double drop = options_.judge.matrix.map_drop;
    ShipSettings first{.precision = precision,
                       .effort = options_.model.effort,
                       .calibration = options_.int8.calibration,
                       .weight_rounding = options_.int8.weight_rounding,
                       .max_images = options_.int8.max_images,
                       .search_drop = drop};
    ShipLimits limits{.calibrations = {}, .weight_roundings = {}, .p95_ms = options_.judge.matrix.latency.p95_ms};
    if (quantisation_ == Quantisation::kOwn) {
      first.search_drop = 0;
      return {first, limits};
    }
    if (first.weight_rounding != "adaround") limits.weight_roundings = {"adaround"};
    // Not minmax: one outlier spoils it, and what it is good for (no clipping) mse finds by itself.
    for (const char* calibration : {"entropy", "percentile", "mse"}) {
      if (calibration != first.calibration) limits.calibrations.emplace_back(calibration);
    }
    return {first, limits};
  }

  Verdict TryPrecision(const std::string& precision) {
    ShipPlan plan = PlanFor(precision);
    size_t last = 0;  // attempt that was not skipped
    for (bool goes_on = true; goes_on;) {
      const auto start = Clock::now();
      if (const std::string why = WhyNotWorthIt(plan.settings()); !why.empty()) {
        const int64_t images = result_.attempts[last].outcome.calibration_images;
        ShipAttempt& skipped = Add(plan);
        skipped.not_built = why;
        skipped.build_s = SecondsSince(start);
        skipped.outcome.calibration_images = images;
        SayLast();
        goes_on = plan.Skip();
        continue;
      }
      const ShipAttempt& attempt = Try(plan);
      if (attempt.passed()) return Verdict::kShipped;
      last = result_.attempts.size() - 1;
      goes_on = attempt.not_built.empty() && plan.Next(attempt.outcome);
    }
    const ShipAttempt& attempt = result_.attempts[last];
    GiveUp(precision, ReasonOf(attempt));
    // Another precision of an engine that isn't its source would prove nothing.
    return KindOfFailure(attempt.outcome.checks) == FailureKind::kDefect && attempt.not_built.empty()
               ? Verdict::kStop
               : Verdict::kGaveUp;
  }

  /// Why another calibrator or rounding is not worth a build and a verification, which take a hundred times as long as
  /// this: it makes more noise than what was not good enough. Empty: it may be.
  std::string WhyNotWorthIt(const ShipSettings& settings) {
    ShipSettings first = settings;
    first.calibration = options_.int8.calibration;
    first.weight_rounding = options_.int8.weight_rounding;
    if (settings.precision != "int8" || settings == first) return "";
    const double noise = NoiseOf(settings), first_noise = NoiseOf(first);
    if (noise < first_noise) return "";
    return fmt::format("it makes a noise of {:.4f} in the final tensors, {} with weights rounded {} {:.4f}", noise,
                       first.calibration, first.weight_rounding, first_noise);
  }

  static std::string ReasonOf(const ShipAttempt& attempt) {
    const Json json = ToJson(attempt);
    if (!attempt.not_built.empty()) return attempt.not_built;
    return fmt::format("{}: {}", fmt::join(attempt.Failed(), ", "), TextField(json, "detail"));
  }

  void GiveUp(const std::string& precision, const std::string& reason) {
    result_.fallbacks.push_back({{"precision", precision}, {"reason", reason}});
  }

  void Say(const std::string& text) const {
    if (!global_.quiet) fmt::print(stderr, "{}\n", text);
  }

  ShipAttempt& Add(const ShipPlan& plan) {
    ShipAttempt& attempt = result_.attempts.emplace_back();
    attempt.settings = plan.settings();
    attempt.remedy = plan.remedy();
    return attempt;
  }

  void SayLast() const { Say(AttemptsTable(Json::array({ToJson(result_.attempts.back())}))); }

  const ShipAttempt& Try(const ShipPlan& plan) {
    ShipAttempt& attempt = Add(plan);
    Say(fmt::format("attempt {}: {}{}", result_.attempts.size(), attempt.settings.precision,
                    attempt.remedy.empty() ? "" : ", " + attempt.remedy));
    auto start = Clock::now();
    const std::shared_ptr<EngineModel> engine = Build(attempt);
    attempt.build_s = SecondsSince(start);
    if (!engine) return attempt;
    start = Clock::now();
    const LayerTimes times = options_.report.empty() ? LayerTimes::kLeaveOut : LayerTimes::kMeasure;
    Verification verified = session_.Verify(engine, options_.output, attempt.settings.precision, times);
    attempt.verify_s = SecondsSince(start);
    attempt.outcome.checks = std::move(verified.matrix.checks);
    result_.report = std::move(verified.report);
    if (attempt.passed()) result_.engine = engine;
    SayLast();
    return attempt;
  }

  /// Null, with the reason in the attempt, when this device or model has no engine with these settings.
  std::shared_ptr<EngineModel> Build(ShipAttempt& attempt) {
    try {
      const CompileResult built = Compile(attempt.settings);
      for (const auto& warning : built.warnings) Log().info("{}", warning);
      const Program& plan = *built.engine->plans.back();
      attempt.int8_flops_share = Int8Share(plan);
      attempt.size_bytes = EngineFileBytes(*built.engine);
      attempt.outcome.calibration_images = CalibrationImages(*built.engine);
      if (attempt.settings.precision != "int8" || plan.precision == "int8") return built.engine;
      attempt.not_built = "no layer stays within the budget in INT8";
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kUnsupportedDevice) throw;
      attempt.not_built = error.what();
    }
    return nullptr;
  }

  CompileResult Compile(const ShipSettings& settings) {
    ModelOptions model = InPrecision(options_.model, settings.precision, "--precision");
    model.effort = settings.effort;
    if (quantisation_ == Quantisation::kOwn) {
      model.int8 = false;
      model.half = device_->half_type().has_value();
    }
    if (!model.int8) return CompileOnnx(model, global_, {});
    const Int8Options int8 = ToInt8Options(settings);
    return CompileInt8(model, global_, {}, int8, CalibrationFile(int8));
  }

  double NoiseOf(const ShipSettings& settings) {
    const Int8Options int8 = ToInt8Options(settings);
    return MeasureNoiseOfAllInt8(InPrecision(options_.model, settings.precision, "--precision"), global_, int8,
                                 CalibrationFile(int8));
  }

  Int8Options ToInt8Options(const ShipSettings& settings) const {
    Int8Options int8 = options_.int8;
    int8.data = options_.judge.data.data;
    int8.images = options_.judge.data.images;
    int8.fraction = options_.judge.data.fraction;
    int8.head = options_.judge.head.head;
    int8.calibration = settings.calibration;
    int8.weight_rounding = settings.weight_rounding;
    int8.max_images = settings.max_images;
    int8.map_drop = settings.search_drop;
    int8.findings = findings_;
    return int8;
  }

  /// What is observed depends on model and images; calibrators only read it.
  std::string CalibrationFile(const Int8Options& int8) const {
    const fs::path folder = fs::path(CacheFolder()) / "calibration";
    std::error_code ignored;  // the write says why it failed
    fs::create_directories(folder, ignored);
    const Digest key = HashString(fmt::format("{} {} {} {} {} {} {}", HashFile(options_.model.model).ToString(),
                                              fs::absolute(int8.data).string(), int8.images, int8.split, int8.fraction,
                                              int8.max_images, options_.model.imgsz));
    return (folder / (key.ToString() + ".calib")).string();
  }

  const ShipOptions& options_;
  const GlobalOptions& global_;
  const std::shared_ptr<const Device> device_;
  const Quantisation quantisation_;
  VerifySession session_;
  const std::shared_ptr<Int8Findings> findings_ = std::make_shared<Int8Findings>();
  ShipResult result_;
};

}  // namespace

ShipResult SearchEngineToShip(const ShipOptions& options, const GlobalOptions& global) {
  return ShipSearch(options, global).Run();
}

}  // namespace tenon::cli
