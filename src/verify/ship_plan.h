#pragma once
#include <optional>
#include <string>
#include <vector>

#include "verify/matrix.h"

namespace tenon {

/// How one engine of `ship` is built; what a remedy changes.
struct ShipSettings {
  std::string precision;  ///< "int8", "half", "fp32"
  int effort = 2;         ///< of tuning, 0 to 3
  /// Of INT8 alone:
  std::string calibration = "mse", weight_rounding = "nearest";
  int64_t max_images = 512;
  double search_drop = 0.5;  ///< points of mAP50-95 that the mixed-precision search may spend

  bool operator==(const ShipSettings&) const = default;
};

/// What can be changed, besides what the settings start with.
struct ShipLimits {
  std::vector<std::string> calibrations;      ///< other calibrators, in the order in which they are tried
  std::vector<std::string> weight_roundings;  ///< the same of weight rounding
  std::optional<double> p95_ms;               ///< the budget
};

/// What came out of building and verifying with some settings.
struct ShipOutcome {
  std::vector<Check> checks;       ///< of the whole matrix
  int64_t calibration_images = 0;  ///< that were used; as many as max_images: there may be more
};

/// What a failed check calls for.
enum class FailureKind {
  kNone,
  kAccuracy,  ///< map, top_class_ap, confidence: calibration can change it
  kLatency,   ///< p95_latency, not_slower_than_half: tuning can change it
  kDefect,    ///< weights, determinism, precision: no setting cures an engine that isn't what it claims to be
};
/// The gravest kind among the failed checks; checks that must be judged and were not (map without labels) are defects.
FailureKind KindOfFailure(const std::vector<Check>& checks);

/// Decides what to try for one precision. Each failed check decides which remedies come into question:
///   latency: a higher tuning effort, where the time is not hopelessly over the budget; with accuracy failing too, this
///     comes first, because what helps accuracy makes no engine faster;
///   accuracy, of INT8: more images, weight rounding from data, other calibrators (these cost no speed), then the
///     mixed-precision search with half and a quarter of the budget (which gives layers back to half);
///   defects: nothing.
/// A remedy that made things no better is taken back before the next.
class ShipPlan {
 public:
  ShipPlan(ShipSettings first, ShipLimits limits);

  const ShipSettings& settings() const { return current_; }
  /// Why these settings: "" for the first, else the remedy in words.
  const std::string& remedy() const { return remedy_; }
  /// After an attempt with settings() that didn't pass: chooses the next. False when nothing is left to try.
  bool Next(const ShipOutcome& outcome);
  /// The same where settings() proved not worth an attempt.
  bool Skip();

 private:
  struct Remedy {
    std::string name;
    ShipSettings settings;
  };
  struct Badness {
    int failed = 0;
    double excess = 0;
    bool operator<(const Badness& other) const {
      return failed != other.failed ? failed < other.failed : excess < other.excess;
    }
  };
  static Badness BadnessOf(const std::vector<Check>& checks);
  bool TryHarderTuning(const std::vector<Check>& checks);
  bool TryAccuracyRemedy(const ShipOutcome& outcome);
  std::optional<Remedy> NextAccuracyRemedy();
  bool Take(std::optional<Remedy> remedy);

  const ShipSettings first_;
  const ShipLimits limits_;
  ShipSettings current_, best_;
  std::optional<Badness> best_badness_;
  std::string remedy_;
  int64_t calibration_images_ = 0;
  int stage_ = 0;    ///< of the accuracy remedies
  size_t next_ = 0;  ///< within the stage
};

}  // namespace tenon
