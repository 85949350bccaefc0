#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <vector>

#include "vision/box.h"

namespace tenon {

/// What is measured of one class, or their mean; all fractions, 0 to 1.
struct DetectionScores {
  double ap50_95 = 0, ap50 = 0, ap75 = 0;
  double precision = 0, recall = 0, f1 = 0;
};

struct ClassScores : DetectionScores {
  int class_id = 0;
  int64_t instances = 0;
};

/// A detection or labelled box as the metric sees it; both in pixels of the same image or canvas.
struct ScoredBox {
  Box box;
  double score = 0;
  int class_id = 0;
};
struct LabelledBox {
  Box box;
  int class_id = 0;
};

/// mAP, precision and recall as Ultralytics 8.4's `val` defines them: per image, detections in the order of their score
/// take the free label of their class with the highest IoU, at each of ten thresholds; AP is the area under the
/// precision envelope over 101 recall points; precision, recall and F1 are read at the confidence where the smoothed
/// mean F1 of all classes is highest. Classes without labels count nowhere.
class UltralyticsMetrics {
 public:
  static constexpr int kThresholds = 10;  ///< IoU 0.50, 0.55 ... 0.95

  /// One image; call it once for each, also when either list is empty. The detections need not be sorted.
  void Add(std::span<const ScoredBox> detections, std::span<const LabelledBox> labels);
  void Add(std::span<const Detection> detections, std::span<const LabelledBox> labels);

  int64_t images() const { return images_; }

  /// A detection and whether it took a label: bit t says so at IoU threshold t.
  struct Match {
    double score;
    int class_id;
    uint16_t correct;
  };
  /// One image's detections, best first.
  static std::vector<Match> MatchImage(std::span<const ScoredBox> detections, std::span<const LabelledBox> labels);
  static std::vector<Match> MatchImage(std::span<const Detection> detections, std::span<const LabelledBox> labels);

  struct Result {
    DetectionScores mean;
    std::vector<ClassScores> classes;  ///< those with labels, by class number
    int64_t images = 0, instances = 0;
    double best_confidence = 0;  ///< where precision, recall and F1 are read
  };
  Result Finish() const;

 private:
  /// All that AP needs of a detection, in 10 bytes and in pieces that never move: a data set of 100,000 images has 30
  /// million of them.
  struct ClassMatches {
    std::deque<double> scores;
    std::deque<uint16_t> correct;
    int64_t labels = 0;
  };
  struct ClassCurves;
  static ClassCurves MeasureClass(const ClassMatches& matches);
  static int BestPoint(const std::vector<ClassCurves>& classes);
  static DetectionScores ReadClass(const ClassCurves& curves, int point);
  void AddMatches(const std::vector<Match>& matches, std::span<const LabelledBox> labels);

  std::map<int, ClassMatches> classes_;
  int64_t images_ = 0;
};

}  // namespace tenon
