#pragma once
#include <span>
#include <string>
#include <vector>

#include "tenon/tenon.hpp"
#include "vision/detect.h"
#include "vision/loader.h"

namespace tenon {

/// An engine with one image input, run on letterboxed images in batches, its outputs decoded to boxes.
class Detector {
 public:
  /// @param head_flag how the outputs spell boxes (ParseHeadFlag); empty: recognised from metadata and shapes
  /// @param threads that one run uses; 0: all cores
  /// @param batch   the engine's smallest batch size that holds so many is used; 0: its smallest
  /// Throws Error(kInvalidInput) when the model is no detector, or has no such batch size.
  Detector(const Engine& engine, const std::string& head_flag, int threads, int batch = 0);

  const Engine& engine() const { return engine_; }
  const Head& head() const { return head_; }
  const Preprocess& preprocess() const { return preprocess_; }
  int64_t batch() const { return batch_; }

  /// Detections in canvas pixels of up to batch() images; adds its times to the sums below.
  std::vector<std::vector<Detection>> Run(std::span<const LoadedImage* const> images, const DetectOptions& options);

  double inference_ms = 0, postprocess_ms = 0;

 private:
  Engine engine_;
  Context context_;
  Head head_;
  Preprocess preprocess_;
  int64_t batch_ = 1, image_elems_ = 0;
  std::vector<float> input_;
  std::vector<std::vector<float>> outputs_;
};

}  // namespace tenon
