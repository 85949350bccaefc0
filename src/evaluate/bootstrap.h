#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "evaluate/ultralytics_metrics.h"

namespace tenon {

/// One image's detections and labels, in pixels of the same canvas.
struct ScoredImage {
  std::vector<Detection> detections;
  std::vector<LabelledBox> labels;
};

/// mAP50-95 (UltralyticsMetrics) of image sets drawn from the given images: boxes are matched and sorted once, so that
/// a drawn set costs a walk over the matches.
class ResampledMap {
 public:
  explicit ResampledMap(std::span<const ScoredImage> images);

  size_t images() const { return images_; }
  /// @param times how often each image is in the set; images() values. Classes without labels in the set count nowhere.
  double MeanAp(std::span<const int> times) const;

 private:
  struct Entry {
    double score = 0;
    uint32_t image = 0;
    uint16_t correct = 0;  ///< as UltralyticsMetrics::Match has it
  };
  struct LabelCount {
    uint32_t image = 0;
    int labels = 0;
  };
  struct Class {
    std::vector<Entry> entries;  ///< best first
    std::vector<LabelCount> labels;
  };
  static double ClassAp(const Class& matches, int64_t labels, std::span<const int> times);

  size_t images_ = 0;
  std::vector<Class> classes_;
};

struct Interval {
  double low = 0, high = 0;
};

struct BootstrapOptions {
  int resamples = 1000;
  uint64_t seed = 1;  ///< same seed, same interval
};

/// 95% interval (percentile bootstrap over images) of a's mAP50-95 minus b's: both are measured on the same drawn
/// images, so what makes an image hard for both cancels. Both must hold the same images in the same order. Throws
/// Error(kInterrupted) after Ctrl-C.
Interval BootstrapDifference(const ResampledMap& a, const ResampledMap& b, const BootstrapOptions& options = {});

}  // namespace tenon
