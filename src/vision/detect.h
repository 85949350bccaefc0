#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "vision/head.h"
#include "vision/nms.h"

namespace tenon {

/// A float32 tensor in memory, rows packed; not owned.
struct TensorView {
  const float* data = nullptr;
  std::vector<int64_t> shape;
};

enum class LabelMode {
  kMulti,  ///< every class above the threshold is a candidate (val)
  kBest,   ///< only a box's best class (predict)
};

struct DetectOptions {
  double conf = 0.001;
  LabelMode labels = LabelMode::kMulti;
  NmsOptions nms;

  static DetectOptions Val() { return {}; }
  static DetectOptions Predict() { return {.conf = 0.25, .labels = LabelMode::kBest}; }
};

/// The candidates of one image with score > conf, corners in input pixels, in the order of the boxes, then classes;
/// boxes with a coordinate that is not finite are dropped.
/// @param outputs the model's outputs, in the order that RecogniseHead saw
/// @param batch_index which image of the batch
/// Throws Error(kInvalidInput) when the output's shape is not the one that the head was recognised from.
std::vector<Detection> DecodeCandidates(const Head& head, std::span<const TensorView> outputs, int64_t batch_index,
                                        const DetectOptions& options);

/// Candidates, then suppression where the head needs it: the image's detections in input pixels, best first.
std::vector<Detection> Detect(const Head& head, std::span<const TensorView> outputs, int64_t batch_index,
                              const DetectOptions& options);

}  // namespace tenon
