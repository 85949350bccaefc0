#include <fmt/format.h>

#include <cmath>

#include "verify/checks.h"

namespace tenon {
namespace {

constexpr float kConfidence = 0.25f;
constexpr double kMaxF1Drop = 1.0;  // points
constexpr double kMaxScoreShift = 0.02;

struct ConfidenceScores {
  int64_t matched = 0, wrong = 0, labels = 0;
  double score_sum = 0;

  double f1() const { return 2 * static_cast<double>(matched) / static_cast<double>(matched + wrong + labels); }
  double mean_score() const { return score_sum / static_cast<double>(matched); }
};

/// Counts at confidence 0.25 and IoU 0.5, over all classes.
ConfidenceScores Measure(const Dataset& dataset, const Accuracy& accuracy) {
  ConfidenceScores scores;
  for (const ImageDetections& image : accuracy.images) {
    std::vector<Detection> confident;
    for (const Detection& detection : image.detections) {
      if (detection.score > kConfidence) confident.push_back(detection);
    }
    const auto labels = CanvasLabels(dataset.samples.at(image.sample), image.plan);
    scores.labels += static_cast<int64_t>(labels.size());
    for (const UltralyticsMetrics::Match& match : UltralyticsMetrics::MatchImage(confident, labels)) {
      const bool correct = match.correct & 1;
      scores.matched += correct;
      scores.wrong += !correct;
      scores.score_sum += correct ? match.score : 0;
    }
  }
  return scores;
}

}  // namespace

Check CheckConfidence(const AccuracyPair& pair) {
  Check check{.name = "confidence", .threshold = kMaxF1Drop};
  const ConfidenceScores engine = Measure(pair.dataset, pair.engine), source = Measure(pair.dataset, pair.source);
  if (source.matched == 0) {
    check.detail = "the source matches no label at confidence 0.25";
    return check;
  }
  const double drop = 100 * (source.f1() - engine.f1());
  const double mean = engine.matched == 0 ? 0 : engine.mean_score(), shift = mean - source.mean_score();
  check.status = PassIf(drop <= kMaxF1Drop && std::abs(shift) <= kMaxScoreShift);
  check.value = drop;
  check.detail = fmt::format(
      "at confidence 0.25: F1 {:.2f}, source {:.2f}: {}; mean score of matched boxes {:.4f}, source "
      "{:.4f}: off by {:.4f} of {}",
      100 * engine.f1(), 100 * source.f1(), DropText(drop), mean, source.mean_score(), std::abs(shift), kMaxScoreShift);
  check.more = {{"f1", {{"engine", engine.f1()}, {"source", source.f1()}}},
                {"mean_score", {{"engine", mean}, {"source", source.mean_score()}}},
                {"score_threshold", kMaxScoreShift}};
  return check;
}

}  // namespace tenon
