#include "ops/nms.h"

#include <algorithm>
#include <cmath>

#include "ops/shape_rules.h"

namespace tenon {
namespace {

struct Corners {
  float x1, y1, x2, y2;
};

Corners CornersOf(const float* box, bool center_point_box) {
  if (center_point_box) {
    return {box[0] - box[2] / 2, box[1] - box[3] / 2, box[0] + box[2] / 2, box[1] + box[3] / 2};
  }
  return {std::min(box[1], box[3]), std::min(box[0], box[2]), std::max(box[1], box[3]), std::max(box[0], box[2])};
}

float Area(const Corners& box) { return (box.x2 - box.x1) * (box.y2 - box.y1); }

/// Whether the IoU is above the threshold; in FP32, as ONNX Runtime computes it.
bool Overlap(const Corners& a, const Corners& b, float iou_threshold) {
  const float width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
  const float height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  if (!(width > 0) || !(height > 0)) return false;
  const float intersection = width * height;
  const float area_a = Area(a), area_b = Area(b), all = area_a + area_b - intersection;
  return area_a > 0 && area_b > 0 && all > 0 && intersection / all > iou_threshold;
}

struct Limits {
  int64_t max_boxes = 0;
  float iou = 0;
  std::optional<float> score;
};

Limits ReadLimits(std::span<const Tensor> inputs) {
  const auto given = [&](size_t i) { return !OperandOrNull(inputs, i).is_null(); };
  Limits limits;
  if (given(2)) limits.max_boxes = std::max<int64_t>(0, inputs[2].AsInt(0));
  if (given(3)) limits.iou = inputs[3].data<float>()[0];
  if (given(4)) limits.score = inputs[4].data<float>()[0];
  if (!(limits.iou >= 0 && limits.iou <= 1))
    ThrowInvalid("NonMaxSuppression: IoU threshold {} isn't in [0, 1]", limits.iou);
  return limits;
}

/// The boxes taken of one class, in order.
std::vector<int64_t> Suppress(const std::vector<Corners>& boxes, const float* scores, const Limits& limits) {
  std::vector<int64_t> order, taken;
  for (size_t i = 0; i < boxes.size(); ++i) {
    if (limits.score ? scores[i] > *limits.score : !std::isnan(scores[i])) order.push_back(static_cast<int64_t>(i));
  }
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return scores[a] > scores[b]; });
  for (const int64_t box : order) {
    if (static_cast<int64_t>(taken.size()) >= limits.max_boxes) break;
    const auto overlaps = [&](int64_t other) { return Overlap(boxes[box], boxes[other], limits.iou); };
    if (std::none_of(taken.begin(), taken.end(), overlaps)) taken.push_back(box);
  }
  return taken;
}

}  // namespace

void NonMaxSuppression::VisitAttrs(AttrVisitor& visitor) { visitor.Bool("center_point_box", center_point_box); }

std::vector<TensorType> NonMaxSuppression::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, 2, 5);
  for (const size_t i : {0, 1, 3, 4}) CheckDType(kName, inputs, i, {DType::kFloat32});
  CheckDType(kName, inputs, 2, {DType::kInt64, DType::kInt32});
  for (size_t i = 2; i < inputs.size(); ++i) {
    const Shape* shape = IsAbsent(inputs, i) ? nullptr : KnownShape(inputs, i);
    if (shape && ElemCount(*shape) != 1) ThrowInvalid("NonMaxSuppression: operand {} isn't a scalar", i);
  }
  const Shape *boxes = KnownShape(inputs, 0), *scores = KnownShape(inputs, 1);
  if (boxes && (boxes->size() != 3 || boxes->back() != 4)) {
    ThrowInvalid({.what = "NonMaxSuppression: bad boxes", .got = ToString(*boxes), .expected = "batch x N x 4"});
  }
  if (boxes && scores && (scores->size() != 3 || (*scores)[0] != (*boxes)[0] || (*scores)[2] != (*boxes)[1])) {
    ThrowInvalid({.what = "NonMaxSuppression: scores don't fit the boxes",
                  .got = ToString(*scores),
                  .expected = "batch x classes x N"});
  }
  return {UnknownType(DType::kInt64)};
}

std::vector<Tensor> NonMaxSuppression::Evaluate(std::span<const Tensor> inputs) const {
  InferTensors(*this, inputs);
  const Limits limits = ReadLimits(inputs);
  const int64_t count = inputs[0].shape()[1], classes = inputs[1].shape()[1];
  std::vector<int64_t> selected;
  for (int64_t batch = 0; batch < inputs[0].shape()[0]; ++batch) {
    std::vector<Corners> boxes;
    for (int64_t i = 0; i < count; ++i)
      boxes.push_back(CornersOf(inputs[0].data<float>() + (batch * count + i) * 4, center_point_box));
    for (int64_t cls = 0; cls < classes; ++cls) {
      const float* scores = inputs[1].data<float>() + (batch * classes + cls) * count;
      for (const int64_t box : Suppress(boxes, scores, limits)) selected.insert(selected.end(), {batch, cls, box});
    }
  }
  return {Tensor::Of<int64_t>({static_cast<int64_t>(selected.size() / 3), 3}, selected)};
}

}  // namespace tenon
