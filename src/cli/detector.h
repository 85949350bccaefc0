#pragma once
#include <span>
#include <string>
#include <vector>

#include "cli/model_source.h"
#include "vision/detect.h"
#include "vision/loader.h"

namespace tenon::cli {

/// Flags of commands that turn outputs into boxes.
struct HeadOptions {
  std::string head;    ///< --head: how the model spells boxes, where metadata and shapes don't tell
  double conf = 0.25;  ///< lowest score; val's default is lower
  double iou = 0.7;
  int max_det = 300;
  bool agnostic_nms = false;

  NmsOptions Nms() const;
};
void AddHeadFlags(CLI::App& command, HeadOptions& options);

/// An engine with one image input, run on letterboxed images in batches.
class Detector {
 public:
  /// Throws Error(kInvalidInput) when the model is no detector.
  Detector(const LoadedModel& model, const HeadOptions& head, int threads);

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

}  // namespace tenon::cli
