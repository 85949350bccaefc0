#include "evaluate/ultralytics_metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "evaluate/curves.h"

namespace tenon {
namespace {

constexpr int kCurvePoints = 1000;

float Iou(const Box& a, const Box& b) {
  const float width = std::max(0.0f, std::min(a.x2, b.x2) - std::max(a.x1, b.x1));
  const float height = std::max(0.0f, std::min(a.y2, b.y2) - std::max(a.y1, b.y1));
  const float inter = width * height;
  const float area_a = (a.x2 - a.x1) * (a.y2 - a.y1), area_b = (b.x2 - b.x1) * (b.y2 - b.y1);
  return inter / (area_a + area_b - inter + 1e-7f);
}

std::array<float, UltralyticsMetrics::kThresholds> IouThresholds() {
  std::array<float, UltralyticsMetrics::kThresholds> thresholds;
  // float32 as torch.linspace makes them: counted from both ends.
  const float step = (0.95f - 0.5f) / 9;
  for (int i = 0; i < 10; ++i) thresholds[i] = i < 5 ? 0.5f + step * i : 0.95f - step * (9 - i);
  return thresholds;
}

double F1(double precision, double recall) { return 2 * precision * recall / (precision + recall + 1e-16); }

DetectionScores Mean(const std::vector<ClassScores>& classes) {
  DetectionScores mean;
  const auto average = [&](double DetectionScores::*field) {
    double sum = 0;
    for (const ClassScores& c : classes) sum += c.*field;
    return sum / static_cast<double>(classes.size());
  };
  for (auto field : {&DetectionScores::ap50_95, &DetectionScores::ap50, &DetectionScores::ap75,
                     &DetectionScores::precision, &DetectionScores::recall, &DetectionScores::f1}) {
    mean.*field = average(field);
  }
  return mean;
}

}  // namespace

/// The curves of one class over confidence, and its AP at each threshold.
struct UltralyticsMetrics::ClassCurves {
  std::array<double, kThresholds> ap{};
  std::vector<double> precision = std::vector<double>(kCurvePoints, 0.0);
  std::vector<double> recall = std::vector<double>(kCurvePoints, 0.0);
};

UltralyticsMetrics::ClassCurves UltralyticsMetrics::MeasureClass(const ClassMatches& matches) {
  ClassCurves curves;
  const size_t count = matches.scores.size();
  if (count == 0) return curves;
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return matches.scores[a] > matches.scores[b]; });
  std::vector<double> negated(count), recall(count), precision(count);
  for (size_t i = 0; i < count; ++i) negated[i] = -matches.scores[order[i]];
  for (int t = 0; t < kThresholds; ++t) {
    int64_t correct = 0;
    for (size_t i = 0; i < count; ++i) {
      correct += matches.correct[order[i]] >> t & 1;
      recall[i] = static_cast<double>(correct) / static_cast<double>(matches.labels);
      precision[i] = static_cast<double>(correct) / static_cast<double>(i + 1);
    }
    curves.ap[t] = AveragePrecision(recall, precision);
    if (t > 0) continue;
    const std::vector<double> confidence = LinearSpace(0, 1, kCurvePoints);
    for (int i = 0; i < kCurvePoints; ++i) {
      curves.recall[i] = Interpolate(-confidence[i], negated, recall, 0);
      curves.precision[i] = Interpolate(-confidence[i], negated, precision, 1);
    }
  }
  return curves;
}

int UltralyticsMetrics::BestPoint(const std::vector<ClassCurves>& classes) {
  std::vector<double> mean(kCurvePoints, 0.0);
  for (const ClassCurves& c : classes) {
    for (int i = 0; i < kCurvePoints; ++i) mean[i] += F1(c.precision[i], c.recall[i]);
  }
  for (double& value : mean) value /= static_cast<double>(classes.size());
  const std::vector<double> smooth = Smooth(mean, 0.1);
  return static_cast<int>(std::max_element(smooth.begin(), smooth.end()) - smooth.begin());
}

DetectionScores UltralyticsMetrics::ReadClass(const ClassCurves& curves, int point) {
  DetectionScores scores;
  scores.ap50 = curves.ap[0];
  scores.ap75 = curves.ap[5];
  scores.ap50_95 = std::accumulate(curves.ap.begin(), curves.ap.end(), 0.0) / kThresholds;
  scores.precision = curves.precision[point];
  scores.recall = curves.recall[point];
  scores.f1 = F1(scores.precision, scores.recall);
  return scores;
}

std::vector<UltralyticsMetrics::Match> UltralyticsMetrics::MatchImage(std::span<const ScoredBox> detections,
                                                                      std::span<const LabelledBox> labels) {
  static const auto kIouThresholds = IouThresholds();
  std::vector<const ScoredBox*> order;
  for (const ScoredBox& detection : detections) order.push_back(&detection);
  std::stable_sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->score > b->score; });
  std::vector<std::array<bool, kThresholds>> taken(labels.size());
  std::vector<float> ious(labels.size());
  std::vector<Match> matches;
  for (const ScoredBox* detection : order) {
    Match match{detection->score, detection->class_id, 0};
    for (size_t l = 0; l < labels.size(); ++l) {
      ious[l] = labels[l].class_id == detection->class_id ? Iou(labels[l].box, detection->box) : 0;
    }
    for (int t = 0; t < kThresholds; ++t) {
      size_t best = labels.size();
      float best_iou = kIouThresholds[t];
      for (size_t l = 0; l < labels.size(); ++l) {
        if (taken[l][t] || !(ious[l] >= best_iou) || (best < labels.size() && ious[l] == best_iou)) continue;
        best = l;
        best_iou = ious[l];
      }
      if (best == labels.size()) continue;
      taken[best][t] = true;
      match.correct |= static_cast<uint16_t>(1 << t);
    }
    matches.push_back(match);
  }
  return matches;
}

std::vector<UltralyticsMetrics::Match> UltralyticsMetrics::MatchImage(std::span<const Detection> detections,
                                                                      std::span<const LabelledBox> labels) {
  std::vector<ScoredBox> boxes;
  for (const Detection& d : detections) boxes.push_back({d.box, d.score, d.class_id});
  return MatchImage(boxes, labels);
}

void UltralyticsMetrics::AddMatches(const std::vector<Match>& matches, std::span<const LabelledBox> labels) {
  ++images_;
  for (const LabelledBox& label : labels) {
    TENON_CHECK(label.class_id >= 0, "class {}", label.class_id);
    ++classes_[label.class_id].labels;
  }
  for (const Match& match : matches) {
    ClassMatches& same_class = classes_[match.class_id];
    same_class.scores.push_back(match.score);
    same_class.correct.push_back(match.correct);
  }
}

void UltralyticsMetrics::Add(std::span<const ScoredBox> detections, std::span<const LabelledBox> labels) {
  AddMatches(MatchImage(detections, labels), labels);
}

void UltralyticsMetrics::Add(std::span<const Detection> detections, std::span<const LabelledBox> labels) {
  AddMatches(MatchImage(detections, labels), labels);
}

UltralyticsMetrics::Result UltralyticsMetrics::Finish() const {
  Result result{.images = images_};
  std::vector<ClassCurves> curves;
  for (const auto& [class_id, matches] : classes_) {
    if (matches.labels == 0) continue;
    curves.push_back(MeasureClass(matches));
    result.classes.push_back({{}, class_id, matches.labels});
    result.instances += matches.labels;
  }
  if (curves.empty()) return result;
  const int point = BestPoint(curves);
  result.best_confidence = static_cast<double>(point) / (kCurvePoints - 1);
  for (size_t i = 0; i < curves.size(); ++i)
    static_cast<DetectionScores&>(result.classes[i]) = ReadClass(curves[i], point);
  result.mean = Mean(result.classes);
  return result;
}

}  // namespace tenon
