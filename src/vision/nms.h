#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "vision/box.h"

namespace tenon {

enum class ClassMode {
  kAware,     ///< boxes of different classes never suppress each other
  kAgnostic,  ///< they do
};

struct NmsOptions {
  double iou = 0.7;  ///< a box is suppressed by a better one whose IoU with it is greater
  int max_detections = 300;
  int max_candidates = 30000;  ///< only so many best ones take part
  ClassMode classes = ClassMode::kAware;
};

/// Greedy non-maximum suppression with the arithmetic of Ultralytics' `val` and `predict` (which is torchvision's):
/// float32, boxes of class c moved by 7680 * c so that classes do not meet, equal scores in the order given.
/// @return the survivors, best first. O(candidates * survivors), no memory beyond the candidates' size.
std::vector<Detection> Nms(std::span<const Detection> candidates, const NmsOptions& options);

}  // namespace tenon
