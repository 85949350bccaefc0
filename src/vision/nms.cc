#include "vision/nms.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <unordered_map>

namespace tenon {
namespace {

constexpr float kClassOffset = 7680;

/// Kept boxes of one class as columns, so that the compiler can test many at once.
struct KeptBoxes {
  std::vector<float> x1, y1, x2, y2, area;

  void Add(const Box& box, float box_area) {
    x1.push_back(box.x1);
    y1.push_back(box.y1);
    x2.push_back(box.x2);
    y2.push_back(box.y2);
    area.push_back(box_area);
  }

  /// Whether one of them overlaps the box by more than the threshold: eight at a time, so that none waits for a branch.
  bool Suppress(const Box& box, float box_area, float threshold) const {
    constexpr size_t kBlock = 8;
    size_t i = 0;
    for (; i + kBlock <= x1.size(); i += kBlock) {
      int overlaps = 0;
      for (size_t j = i; j < i + kBlock; ++j) overlaps |= Overlaps(j, box, box_area, threshold);
      if (overlaps) return true;
    }
    for (; i < x1.size(); ++i) {
      if (Overlaps(i, box, box_area, threshold)) return true;
    }
    return false;
  }

 private:
  int Overlaps(size_t i, const Box& box, float box_area, float threshold) const {
    const float w = std::max(0.0f, std::min(x2[i], box.x2) - std::max(x1[i], box.x1));
    const float h = std::max(0.0f, std::min(y2[i], box.y2) - std::max(y1[i], box.y1));
    const float inter = w * h;
    return static_cast<int>(inter > 0) & static_cast<int>(inter / (area[i] + box_area - inter) > threshold);
  }
};

/// torchvision compares a float32 IoU with a float64 threshold: the same as with the largest float32 that isn't above
/// it.
float FloatNotAbove(double threshold) {
  const auto nearest = static_cast<float>(threshold);
  return nearest > threshold ? std::nextafter(nearest, -INFINITY) : nearest;
}

/// Indices of the candidates, best score first, ties in the order given.
std::vector<uint32_t> SortByScore(std::span<const Detection> candidates) {
  std::vector<uint64_t> keys(candidates.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto bits = std::bit_cast<uint32_t>(candidates[i].score);
    const uint32_t ascending = bits >> 31 ? ~bits : bits | 0x80000000u;  // orders floats of either sign
    keys[i] = uint64_t{~ascending} << 32 | i;
  }
  std::sort(keys.begin(), keys.end());
  std::vector<uint32_t> order(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) order[i] = static_cast<uint32_t>(keys[i]);
  return order;
}

/// Whether moving classes apart by kClassOffset keeps all of them apart: then only boxes of one class need comparing.
bool ClassesStayApart(std::span<const Detection> candidates) {
  float low = 0, high = 0;
  for (const Detection& d : candidates) {
    low = std::min({low, d.box.x1, d.box.x2});
    high = std::max({high, d.box.x1, d.box.x2});
  }
  return high - low < kClassOffset - 1;
}

}  // namespace

std::vector<Detection> Nms(std::span<const Detection> candidates, const NmsOptions& options) {
  std::vector<uint32_t> order = SortByScore(candidates);
  if (order.size() > static_cast<size_t>(options.max_candidates)) order.resize(options.max_candidates);
  const bool aware = options.classes == ClassMode::kAware;
  const bool by_class = aware && ClassesStayApart(candidates);
  const float threshold = FloatNotAbove(options.iou);
  std::unordered_map<int, KeptBoxes> kept;
  std::vector<Detection> survivors;
  for (uint32_t index : order) {
    if (survivors.size() >= static_cast<size_t>(options.max_detections)) break;
    const Detection& candidate = candidates[index];
    const float offset = aware ? static_cast<float>(candidate.class_id) * kClassOffset : 0;
    const Box box{candidate.box.x1 + offset, candidate.box.y1 + offset, candidate.box.x2 + offset,
                  candidate.box.y2 + offset};
    const float area = (box.x2 - box.x1) * (box.y2 - box.y1);
    KeptBoxes& rivals = kept[by_class ? candidate.class_id : 0];
    if (rivals.Suppress(box, area, threshold)) continue;
    rivals.Add(box, area);
    survivors.push_back(candidate);
  }
  return survivors;
}

}  // namespace tenon
