#include "evaluate/coco_metrics.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "evaluate/curves.h"

namespace tenon {
namespace {

constexpr int kThresholds = 10, kRecallPoints = 101;
constexpr size_t kMaxDetections[] = {1, 10, 100};
struct AreaRange {
  double low, high;
  bool Contains(double area) const { return area >= low && area <= high; }
};
constexpr AreaRange kAreas[] = {{0, 1e10}, {0, 32 * 32}, {32 * 32, 96 * 96}, {96 * 96, 1e10}};  // all, small, ...

/// Against a crowd region only the detection's own area counts.
double Iou(const CocoBox& d, const CocoBox& g, bool crowd) {
  const double w = std::min(d.width + d.left, g.width + g.left) - std::max(d.left, g.left);
  const double h = std::min(d.height + d.top, g.height + g.top) - std::max(d.top, g.top);
  if (w <= 0 || h <= 0) return 0;
  const double inter = w * h, area = d.width * d.height;
  return inter / (crowd ? area : area + g.width * g.height - inter);
}

enum class Verdict : uint8_t { kFalse, kTrue, kIgnored };

struct ScoredVerdicts {
  double score;
  size_t rank;  // among its image's detections of the class, from 0
  std::array<Verdict, kThresholds> verdicts;
};

/// Precision at the recall points and final recall for one class, area range and number of detections per image.
struct Curve {
  bool defined = false;
  std::array<std::array<double, kRecallPoints>, kThresholds> precision{};
  std::array<double, kThresholds> recall{};
};

/// Truths of one image with what one area range makes of them; the ignored ones come last.
struct RangedTruths {
  std::vector<const CocoTruth*> truths;
  size_t counted = 0;

  RangedTruths(std::span<const CocoTruth> all, const AreaRange& range) {
    const auto ignored = [&](const CocoTruth& t) { return t.crowd || !range.Contains(t.area); };
    for (const CocoTruth& t : all) {
      if (!ignored(t)) truths.push_back(&t);
    }
    counted = truths.size();
    for (const CocoTruth& t : all) {
      if (ignored(t)) truths.push_back(&t);
    }
  }
};

/// The truth that a detection takes: the free one of highest IoU (the later of equals), counted ones first; size() if
/// none reaches the threshold. Crowds are never used up.
size_t BestTruth(const RangedTruths& ranged, const std::vector<double>& ious, const std::vector<bool>& taken,
                 double threshold) {
  double best_iou = std::min(threshold, 1 - 1e-10);
  size_t best = ranged.truths.size();
  for (size_t g = 0; g < ranged.truths.size(); ++g) {
    if (taken[g] && !ranged.truths[g]->crowd) continue;
    if (g >= ranged.counted && best < ranged.counted) break;
    if (ious[g] < best_iou) continue;
    best_iou = ious[g];
    best = g;
  }
  return best;
}

/// Judges one image's detections of one class; returns the number of truths that count.
size_t JudgeImage(std::span<const CocoDetection> detections, std::span<const CocoTruth> truths, const AreaRange& range,
                  std::vector<ScoredVerdicts>& out) {
  static const std::vector<double> kIouThresholds = LinearSpace(0.5, 0.95, kThresholds);
  const RangedTruths ranged(truths, range);
  std::vector<std::vector<bool>> taken(kThresholds, std::vector<bool>(ranged.truths.size()));
  std::vector<double> ious(ranged.truths.size());
  for (size_t rank = 0; rank < detections.size(); ++rank) {
    const CocoDetection& detection = detections[rank];
    for (size_t g = 0; g < ious.size(); ++g) {
      ious[g] = Iou(detection.box, ranged.truths[g]->box, ranged.truths[g]->crowd);
    }
    ScoredVerdicts scored{detection.score, rank, {}};
    const bool in_range = range.Contains(detection.box.width * detection.box.height);
    for (int t = 0; t < kThresholds; ++t) {
      const size_t best = BestTruth(ranged, ious, taken[t], kIouThresholds[t]);
      if (best == ranged.truths.size()) {
        scored.verdicts[t] = in_range ? Verdict::kFalse : Verdict::kIgnored;
        continue;
      }
      taken[t][best] = true;
      scored.verdicts[t] = best < ranged.counted ? Verdict::kTrue : Verdict::kIgnored;
    }
    out.push_back(scored);
  }
  return ranged.counted;
}

void FillThreshold(const std::vector<const ScoredVerdicts*>& ordered, int t, size_t truths, Curve& curve) {
  static const std::vector<double> kRecalls = LinearSpace(0, 1, kRecallPoints);
  std::vector<double> recall, precision;
  double correct = 0, wrong = 0;
  for (const ScoredVerdicts* scored : ordered) {
    correct += scored->verdicts[t] == Verdict::kTrue;
    wrong += scored->verdicts[t] == Verdict::kFalse;
    recall.push_back(correct / static_cast<double>(truths));
    precision.push_back(correct / (wrong + correct + std::numeric_limits<double>::epsilon()));
  }
  for (size_t i = precision.size(); i-- > 1;) precision[i - 1] = std::max(precision[i - 1], precision[i]);
  curve.recall[t] = recall.empty() ? 0 : recall.back();
  for (int r = 0; r < kRecallPoints; ++r) {
    const auto at = std::lower_bound(recall.begin(), recall.end(), kRecalls[r]);
    curve.precision[t][r] = at == recall.end() ? 0 : precision[static_cast<size_t>(at - recall.begin())];
  }
}

Curve MakeCurve(const std::vector<ScoredVerdicts>& scored, size_t max_detections, size_t truths) {
  Curve curve;
  if (truths == 0) return curve;
  curve.defined = true;
  std::vector<const ScoredVerdicts*> ordered;
  for (const ScoredVerdicts& s : scored) {
    if (s.rank < max_detections) ordered.push_back(&s);
  }
  std::stable_sort(ordered.begin(), ordered.end(), [](auto* a, auto* b) { return a->score > b->score; });
  for (int t = 0; t < kThresholds; ++t) FillThreshold(ordered, t, truths, curve);
  return curve;
}

/// Mean over what is defined, kUndefined when nothing is.
class Average {
 public:
  void Add(double value) {
    sum_ += value;
    ++count_;
  }
  double Value() const { return count_ > 0 ? sum_ / static_cast<double>(count_) : CocoMetrics::kUndefined; }

 private:
  double sum_ = 0;
  int64_t count_ = 0;
};

constexpr int kAllThresholds = -1;

void AddPrecision(const Curve& curve, int threshold, Average& average) {
  if (!curve.defined) return;
  for (int t = 0; t < kThresholds; ++t) {
    if (threshold != kAllThresholds && t != threshold) continue;
    for (double p : curve.precision[t]) average.Add(p);
  }
}

void AddRecall(const Curve& curve, Average& average) {
  if (!curve.defined) return;
  for (double r : curve.recall) average.Add(r);
}

constexpr int kAt50 = 0, kAt75 = 5;

/// One class's curves: the four areas with 100 detections, and all areas with 1 and 10.
struct ClassCurves {
  std::array<Curve, 4> by_area;
  Curve one, ten;
};

double ClassPrecision(const Curve& curve, int threshold) {
  Average average;
  AddPrecision(curve, threshold, average);
  return average.Value();
}

std::array<double, 12> Summarise(const std::vector<ClassCurves>& classes) {
  std::array<Average, 12> averages;
  for (const ClassCurves& c : classes) {
    AddPrecision(c.by_area[0], kAllThresholds, averages[0]);
    AddPrecision(c.by_area[0], kAt50, averages[1]);
    AddPrecision(c.by_area[0], kAt75, averages[2]);
    for (size_t area = 1; area < 4; ++area) AddPrecision(c.by_area[area], kAllThresholds, averages[2 + area]);
    AddRecall(c.one, averages[6]);
    AddRecall(c.ten, averages[7]);
    for (size_t area = 0; area < 4; ++area) AddRecall(c.by_area[area], averages[8 + area]);
  }
  std::array<double, 12> figures;
  for (size_t i = 0; i < figures.size(); ++i) figures[i] = averages[i].Value();
  return figures;
}

}  // namespace

void CocoMetrics::Add(int64_t image_id, std::span<const CocoDetection> detections, std::span<const CocoTruth> truths) {
  for (const CocoTruth& truth : truths) classes_[truth.class_id][image_id].truths.push_back(truth);
  for (const CocoDetection& d : detections) classes_[d.class_id][image_id].detections.push_back(d);
  for (auto& [class_id, images] : classes_) {
    const auto image = images.find(image_id);
    if (image == images.end()) continue;
    std::vector<CocoDetection>& list = image->second.detections;
    std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
    if (list.size() > kMaxDetections[2]) list.resize(kMaxDetections[2]);
  }
}

CocoMetrics::Result CocoMetrics::Finish() const {
  Result result;
  std::vector<ClassCurves> all;
  for (const auto& [class_id, images] : classes_) {
    ClassCurves curves;
    size_t truths = 0;
    for (size_t area = 0; area < 4; ++area) {
      std::vector<ScoredVerdicts> scored;
      size_t counted = 0;
      for (const auto& [id, image] : images) {
        counted += JudgeImage(image.detections, image.truths, kAreas[area], scored);
      }
      curves.by_area[area] = MakeCurve(scored, kMaxDetections[2], counted);
      if (area > 0) continue;
      truths = counted;
      curves.one = MakeCurve(scored, kMaxDetections[0], counted);
      curves.ten = MakeCurve(scored, kMaxDetections[1], counted);
    }
    if (truths > 0) {
      Average recall;
      AddRecall(curves.by_area[0], recall);
      result.classes.push_back({class_id, static_cast<int64_t>(truths), ClassPrecision(curves.by_area[0], -1),
                                ClassPrecision(curves.by_area[0], kAt50), ClassPrecision(curves.by_area[0], kAt75),
                                recall.Value()});
    }
    all.push_back(std::move(curves));
  }
  result.figures = Summarise(all);
  return result;
}

}  // namespace tenon
