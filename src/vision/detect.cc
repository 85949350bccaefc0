#include "vision/detect.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace tenon {
namespace {

Box FromCentre(float cx, float cy, float width, float height) {
  const float half_width = width / 2, half_height = height / 2;
  return {cx - half_width, cy - half_height, cx + half_width, cy + half_height};
}

bool Finite(const Box& box) {
  return std::isfinite(box.x1) && std::isfinite(box.y1) && std::isfinite(box.x2) && std::isfinite(box.y2);
}

/// Takes candidates above the threshold; what is not finite is left out.
class Collector {
 public:
  explicit Collector(const DetectOptions& options) : conf_(static_cast<float>(options.conf)), labels_(options.labels) {}

  float conf() const { return conf_; }
  LabelMode labels() const { return labels_; }
  std::vector<Detection> Take() { return std::move(detections_); }

  void Add(const Box& box, float score, int class_id) {
    if (score > conf_ && std::isfinite(score) && Finite(box)) detections_.push_back({box, score, class_id});
  }

  /// @param score called with a class number
  template <class Score>
  void AddClasses(const Box& box, int num_classes, const Score& score) {
    if (labels_ == LabelMode::kMulti) {
      for (int c = 0; c < num_classes; ++c) Add(box, score(c), c);
      return;
    }
    int best = 0;
    for (int c = 1; c < num_classes; ++c) {
      if (score(c) > score(best)) best = c;
    }
    Add(box, score(best), best);
  }

 private:
  float conf_;
  LabelMode labels_;
  std::vector<Detection> detections_;
};

struct ScoreAbove {
  uint32_t box;
  int class_id;
};

/// Sorted by box; those of one box stay in their order.
std::vector<ScoreAbove> SortByBox(const std::vector<ScoreAbove>& scores, size_t boxes) {
  std::vector<uint32_t> places(boxes + 1);
  for (const ScoreAbove& score : scores) ++places[score.box + 1];
  std::partial_sum(places.begin(), places.end(), places.begin());
  std::vector<ScoreAbove> sorted(scores.size());
  for (const ScoreAbove& score : scores) sorted[places[score.box]++] = score;
  return sorted;
}

/// Scores above the threshold, by box, then class. Channels come first here: they are swept row by row (contiguous
/// memory), a block at once, since hardly any is above.
std::vector<ScoreAbove> ScoresAbove(float conf, const float* scores, int num_classes, size_t boxes) {
  constexpr size_t kBlock = 64;
  std::vector<ScoreAbove> above;
  for (int c = 0; c < num_classes; ++c, scores += boxes) {
    const auto look = [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) {
        if (scores[i] > conf) above.push_back({static_cast<uint32_t>(i), c});
      }
    };
    size_t begin = 0;
    for (; begin + kBlock <= boxes; begin += kBlock) {
      int any = 0;
      for (size_t i = 0; i < kBlock; ++i) any |= static_cast<int>(scores[begin + i] > conf);
      if (any) look(begin, begin + kBlock);
    }
    look(begin, boxes);
  }
  return SortByBox(above, boxes);
}

void DecodeV8(const Head& head, const float* data, Collector& out) {
  const auto boxes = static_cast<size_t>(head.boxes);
  const auto at = [&](size_t channel, size_t box) { return data[channel * boxes + box]; };
  const auto box_of = [&](size_t i) { return FromCentre(at(0, i), at(1, i), at(2, i), at(3, i)); };
  const auto score_of = [&](size_t i, int c) { return at(static_cast<size_t>(4 + c), i); };
  const std::vector<ScoreAbove> above = ScoresAbove(out.conf(), data + 4 * boxes, head.num_classes, boxes);
  for (size_t next = 0; next < above.size(); ++next) {
    const auto [i, class_id] = above[next];
    if (out.labels() == LabelMode::kMulti) {
      out.Add(box_of(i), score_of(i, class_id), class_id);
    } else if (next == 0 || above[next - 1].box != i) {
      out.AddClasses(box_of(i), head.num_classes, [&, box = i](int c) { return score_of(box, c); });
    }
  }
}

/// Rows of box, objectness and class scores; the score is their product, as YOLOv5 and YOLOX have it.
void AddWithObjectness(const Head& head, const Box& box, const float* row, Collector& out) {
  const float objectness = row[4];
  if (objectness > out.conf()) out.AddClasses(box, head.num_classes, [&](int c) { return row[5 + c] * objectness; });
}

void DecodeV5(const Head& head, const float* data, Collector& out) {
  for (int64_t i = 0; i < head.boxes; ++i) {
    const float* row = data + i * head.channels;
    AddWithObjectness(head, FromCentre(row[0], row[1], row[2], row[3]), row, out);
  }
}

void DecodeYolox(const Head& head, const float* data, Collector& out) {
  const float* row = data;
  for (int stride : {8, 16, 32}) {
    const auto s = static_cast<float>(stride);
    for (int y = 0; y < head.input_height / stride; ++y) {
      for (int x = 0; x < head.input_width / stride; ++x, row += head.channels) {
        const Box box = FromCentre((row[0] + static_cast<float>(x)) * s, (row[1] + static_cast<float>(y)) * s,
                                   std::exp(row[2]) * s, std::exp(row[3]) * s);
        AddWithObjectness(head, box, row, out);
      }
    }
  }
}

/// A class number that a model wrote as a float; -1 when it is none of the head's.
int ClassFrom(float value, int num_classes) {
  return value >= 0 && value < static_cast<float>(num_classes) ? static_cast<int>(value) : -1;
}

void DecodeEndToEnd(const Head& head, const float* data, Collector& out) {
  const bool fractions = head.kind == HeadKind::kRtDetrTopK;
  const auto width = static_cast<float>(head.input_width), height = static_cast<float>(head.input_height);
  // Without names the number of classes is unknown, so any class number is taken.
  const int num_classes = head.num_classes > 1 ? head.num_classes : 1 << 20;
  for (int64_t i = 0; i < head.boxes; ++i) {
    const float* row = data + i * head.channels;
    Box box{row[0], row[1], row[2], row[3]};
    if (fractions) {
      box = FromCentre(row[0], row[1], row[2], row[3]);
      box = {box.x1 * width, box.y1 * height, box.x2 * width, box.y2 * height};
    }
    const int class_id = ClassFrom(row[5], num_classes);
    if (class_id >= 0) out.Add(box, row[4], class_id);
  }
}

void DecodeRtDetr(const Head& head, const float* data, Collector& out) {
  const auto width = static_cast<float>(head.input_width), height = static_cast<float>(head.input_height);
  for (int64_t i = 0; i < head.boxes; ++i) {
    const float* row = data + i * head.channels;
    const Box box = FromCentre(row[0], row[1], row[2], row[3]);
    out.AddClasses({box.x1 * width, box.y1 * height, box.x2 * width, box.y2 * height}, head.num_classes,
                   [&](int c) { return row[4 + c]; });
  }
}

int64_t YoloxCells(const Head& head) {
  int64_t cells = 0;
  for (int stride : {8, 16, 32}) cells += int64_t{head.input_height / stride} * (head.input_width / stride);
  return cells;
}

const float* BoxOutput(const Head& head, std::span<const TensorView> outputs, int64_t batch_index) {
  const bool channels_first = head.kind == HeadKind::kV8;
  const int64_t rows = channels_first ? head.channels : head.boxes;
  const int64_t columns = channels_first ? head.boxes : head.channels;
  const bool known = head.output < outputs.size() && outputs[head.output].shape.size() == 3;
  const std::vector<int64_t> shape = known ? outputs[head.output].shape : std::vector<int64_t>{};
  if (!known || shape[1] != rows || shape[2] != columns || batch_index < 0 || batch_index >= shape[0] ||
      (head.kind == HeadKind::kYolox && head.boxes != YoloxCells(head))) {
    ThrowInvalid({.what = fmt::format("can't decode a {} head", HeadFlag(head.kind)),
                  .got = fmt::format("output {} of shape {}, input {}x{}, batch index {}", head.output,
                                     fmt::join(shape, "x"), head.input_height, head.input_width, batch_index),
                  .expected = fmt::format("shape Bx{}x{}", rows, columns)});
  }
  return outputs[head.output].data + batch_index * rows * columns;
}

bool NeedsSuppression(HeadKind kind) {
  return kind == HeadKind::kV8 || kind == HeadKind::kV5 || kind == HeadKind::kYolox;
}

}  // namespace

std::vector<Detection> DecodeCandidates(const Head& head, std::span<const TensorView> outputs, int64_t batch_index,
                                        const DetectOptions& options) {
  const float* data = BoxOutput(head, outputs, batch_index);
  Collector out(options);
  switch (head.kind) {
    case HeadKind::kV8:
      DecodeV8(head, data, out);
      break;
    case HeadKind::kV5:
      DecodeV5(head, data, out);
      break;
    case HeadKind::kYolox:
      DecodeYolox(head, data, out);
      break;
    case HeadKind::kRtDetr:
      DecodeRtDetr(head, data, out);
      break;
    case HeadKind::kEndToEnd:
    case HeadKind::kRtDetrTopK:
      DecodeEndToEnd(head, data, out);
      break;
  }
  return out.Take();
}

std::vector<Detection> Detect(const Head& head, std::span<const TensorView> outputs, int64_t batch_index,
                              const DetectOptions& options) {
  std::vector<Detection> detections = DecodeCandidates(head, outputs, batch_index, options);
  if (NeedsSuppression(head.kind)) return Nms(detections, options.nms);
  // Ultralytics keeps the model's own order here; metrics want best first, and a stable sort leaves sorted rows alone.
  std::stable_sort(detections.begin(), detections.end(),
                   [](const Detection& a, const Detection& b) { return a.score > b.score; });
  if (detections.size() > static_cast<size_t>(options.nms.max_detections)) {
    detections.resize(options.nms.max_detections);
  }
  return detections;
}

}  // namespace tenon
