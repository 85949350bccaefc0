#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace tenon {

/// left, top, width, height in image pixels, as COCO stores boxes.
struct CocoBox {
  double left = 0, top = 0, width = 0, height = 0;
};
struct CocoDetection {
  CocoBox box;
  double score = 0;
  int class_id = 0;
};
struct CocoTruth {
  CocoBox box;
  double area = 0;  ///< the annotation's, which for segmented objects is less than the box's
  bool crowd = false;
  int class_id = 0;
};

/// The box metrics of COCO, equal to pycocotools' COCOeval (iouType "bbox", default parameters) to rounding. Classes
/// must be numbered in the order of their category ids, images by their ids: both orders matter to equal scores.
class CocoMetrics {
 public:
  static constexpr double kUndefined = -1;  ///< nothing to measure, as pycocotools says it

  /// One image; call it once for each, also when either list is empty. Only the best 100 of each class count.
  void Add(int64_t image_id, std::span<const CocoDetection> detections, std::span<const CocoTruth> truths);

  struct ClassResult {
    int class_id = 0;
    int64_t instances = 0;  ///< not crowd
    double ap50_95 = kUndefined, ap50 = kUndefined, ap75 = kUndefined, recall = kUndefined;
  };
  struct Result {
    /// AP; AP50; AP75; AP small, medium, large; AR with 1, 10, 100 detections; AR small, medium, large.
    std::array<double, 12> figures;
    std::vector<ClassResult> classes;  ///< those with truths, by class number
  };
  Result Finish() const;

 private:
  struct ImageClass {
    std::vector<CocoDetection> detections;  // best first
    std::vector<CocoTruth> truths;
  };
  std::map<int, std::map<int64_t, ImageClass>> classes_;  // by class, then image id
};

}  // namespace tenon
