#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "runtime/executable.h"
#include "tenon/tenon.hpp"
#include "vision/detect.h"
#include "vision/loader.h"

namespace tenon {

/// CanvasToTensor's tables, for pixels of B, G, R.
ImageFormat FormatOf(const Preprocess& preprocess);
/// The part of a plan that a device needs which letterboxes images itself.
ImagePlacement PlacementOf(const LetterboxPlan& plan);

/// An engine with one image input, run on images in batches, its outputs decoded to boxes. Images come letterboxed, or
/// as their pixels where the device letterboxes them itself, to the same tensor.
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
  /// Where images are best letterboxed.
  Letterboxing letterboxing() const { return placer_ ? Letterboxing::kOnDevice : Letterboxing::kHere; }
  /// Threads that load images for it: those that its runs leave free.
  int loader_threads() const;

  /// Detections in canvas pixels of up to batch() images; adds its times to the sums below.
  std::vector<std::vector<Detection>> Run(std::span<const LoadedImage* const> images, const DetectOptions& options);

  double inference_ms = 0, postprocess_ms = 0;
  /// Parts of inference_ms on a device of its own: images to tensors with their copies, and the engine alone.
  double letterbox_ms = 0, engine_ms = 0;

 private:
  /// work(i) for each i: by many threads where the cores are free.
  void ForEach(size_t count, const std::function<void(size_t)>& work);
  void RunOnTensors(std::span<const LoadedImage* const> images, std::span<void* const> outputs);
  void RunOnPixels(std::span<const LoadedImage* const> images, std::span<void* const> outputs);

  Engine engine_;
  Context context_;
  std::unique_ptr<internal::ImageInput> placer_;  ///< null where the device has none
  std::unique_ptr<ThreadPool> pool_;              ///< with placer_
  Head head_;
  Preprocess preprocess_;
  int64_t batch_ = 1, image_elems_ = 0;
  std::vector<float> input_;
  std::vector<HostMemory> outputs_;
};

}  // namespace tenon
