#include "verify/ship_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace tenon {
namespace {

constexpr int kMostEffort = 3;
/// Trying every tactic instead of the best few gains percents: a time beyond this is out of its reach.
constexpr double kTuningReach = 1.5;
/// Ranges change little beyond the first images, so more of them must be many more.
constexpr int64_t kMoreImages = 4;
constexpr std::array<double, 2> kTighter = {0.5, 0.25};

FailureKind KindOf(const std::string& check) {
  if (check == "map" || check == "top_class_ap" || check == "confidence") return FailureKind::kAccuracy;
  if (check == "p95_latency" || check == "not_slower_than_half") return FailureKind::kLatency;
  return FailureKind::kDefect;
}

const Check* Find(const std::vector<Check>& checks, const std::string& name) {
  const auto found = std::find_if(checks.begin(), checks.end(), [&](const Check& check) { return check.name == name; });
  return found == checks.end() ? nullptr : &*found;
}

}  // namespace

FailureKind KindOfFailure(const std::vector<Check>& checks) {
  FailureKind gravest = FailureKind::kNone;
  for (const Check& check : checks) {
    if (check.status == CheckStatus::kFail) gravest = std::max(gravest, KindOf(check.name));
  }
  if (gravest == FailureKind::kNone && !MatrixResult{checks}.passed()) return FailureKind::kDefect;
  return gravest;
}

ShipPlan::ShipPlan(ShipSettings first, ShipLimits limits)
    : first_(std::move(first)), limits_(std::move(limits)), current_(first_), best_(first_) {}

ShipPlan::Badness ShipPlan::BadnessOf(const std::vector<Check>& checks) {
  Badness badness;
  for (const Check& check : checks) {
    if (KindOf(check.name) != FailureKind::kAccuracy || check.status != CheckStatus::kFail) continue;
    ++badness.failed;
    if (check.value && check.threshold) badness.excess += std::max(0.0, *check.value - *check.threshold);
  }
  return badness;
}

bool ShipPlan::Next(const ShipOutcome& outcome) {
  switch (KindOfFailure(outcome.checks)) {
    case FailureKind::kLatency:
      return TryHarderTuning(outcome.checks);
    case FailureKind::kAccuracy:
      return TryAccuracyRemedy(outcome);
    default:
      return false;
  }
}

bool ShipPlan::TryHarderTuning(const std::vector<Check>& checks) {
  const Check* p95 = Find(checks, "p95_latency");
  const bool hopeless = p95 && p95->status == CheckStatus::kFail && p95->value && limits_.p95_ms &&
                        *p95->value > kTuningReach * *limits_.p95_ms;
  if (hopeless || current_.effort >= kMostEffort) return false;
  current_.effort = best_.effort = kMostEffort;
  remedy_ = "every tactic tried";
  return true;
}

bool ShipPlan::TryAccuracyRemedy(const ShipOutcome& outcome) {
  if (first_.precision != "int8") return false;
  calibration_images_ = outcome.calibration_images;
  const Badness badness = BadnessOf(outcome.checks);
  if (!best_badness_ || badness < *best_badness_) {
    best_badness_ = badness;
    best_ = current_;
  }
  return Take(NextAccuracyRemedy());
}

bool ShipPlan::Skip() { return Take(NextAccuracyRemedy()); }

bool ShipPlan::Take(std::optional<Remedy> remedy) {
  if (!remedy) return false;
  current_ = std::move(remedy->settings);
  remedy_ = std::move(remedy->name);
  return true;
}

std::optional<ShipPlan::Remedy> ShipPlan::NextAccuracyRemedy() {
  enum Stage { kImages, kRounding, kCalibrator, kSearch, kDone };
  Remedy remedy{.name = {}, .settings = best_};
  // Each stage's list of changes, one after another; what doesn't apply is an empty list.
  for (; stage_ < kDone; ++stage_, next_ = 0) {
    if (stage_ == kImages && next_++ == 0 && calibration_images_ >= first_.max_images) {
      remedy.settings.max_images *= kMoreImages;
      remedy.name = "more calibration images";
      return remedy;
    }
    if (stage_ == kRounding && next_ < limits_.weight_roundings.size()) {
      remedy.settings.weight_rounding = limits_.weight_roundings[next_++];
      remedy.name = fmt::format("weight rounding {}", remedy.settings.weight_rounding);
      return remedy;
    }
    if (stage_ == kCalibrator && next_ < limits_.calibrations.size()) {
      remedy.settings.calibration = limits_.calibrations[next_++];
      remedy.name = fmt::format("calibrator {}", remedy.settings.calibration);
      return remedy;
    }
    if (stage_ == kSearch && next_ < kTighter.size() && first_.search_drop > 0) {
      remedy.settings.search_drop = first_.search_drop * kTighter[next_++];
      remedy.name = "more layers back in half";
      return remedy;
    }
  }
  return std::nullopt;
}

}  // namespace tenon
