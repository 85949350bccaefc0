#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vision/letterbox.h"

namespace tenon {

/// How a detector's raw output spells boxes. nc is the number of classes, N the number of boxes; all are float32.
enum class HeadKind {
  kV8,          ///< "v8": 1 x 4+nc(+extra) x N, centre and size in input pixels, class scores (YOLOv8, v9, 11, 12)
  kV5,          ///< "v5": 1 x N x 5+nc(+extra), centre and size in input pixels, objectness, class scores
  kEndToEnd,    ///< "end2end": 1 x N x 6(+extra), corners in input pixels, score, class; suppression already done
  kYolox,       ///< "yolox": 1 x N x 5+nc, raw: centre (xy + cell) * stride, size exp(wh) * stride, objectness, scores
  kRtDetr,      ///< "rtdetr": 1 x N x 4+nc, centre and size as fractions, class scores; needs no suppression
  kRtDetrTopK,  ///< "rtdetr-topk": 1 x N x 6, centre and size as fractions, score, class
};

std::string_view HeadFlag(HeadKind kind);
/// The kind that a --head flag names. Throws Error(kInvalidInput) that lists the flags.
HeadKind ParseHeadFlag(const std::string& flag);

struct OutputShape {
  std::string name;
  std::vector<int64_t> shape;
};

/// Everything that decoding needs to know about a detector's output.
struct Head {
  HeadKind kind = HeadKind::kV8;
  size_t output = 0;  ///< which of the model's outputs holds the boxes
  int num_classes = 0;
  int64_t channels = 0;  ///< values per box, extra ones (mask coefficients, keypoints) included
  int64_t boxes = 0;     ///< N
  int input_height = 0, input_width = 0;
  std::vector<std::string> names;  ///< num_classes of them; class_N where the model has none
};

/// Recognises the head from the metadata that exporters write (names, task, end2end, head) and the output shapes; where
/// both leave it open, from the number of boxes that the input size gives.
/// @param forced what --head asked for
/// Throws Error(kInvalidInput) that lists what was seen and the --head flags, also for tasks without upright boxes.
Head RecogniseHead(const std::map<std::string, std::string>& metadata, std::span<const OutputShape> outputs,
                   int input_height, int input_width, std::optional<HeadKind> forced = std::nullopt);

/// The preprocessing that models of this head are trained with.
Preprocess DefaultPreprocess(const Head& head);

}  // namespace tenon
