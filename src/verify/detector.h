#pragma once
#include <functional>
#include <memory>
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
/// The part of a plan that an ImageInput needs.
ImagePlacement PlacementOf(const LetterboxPlan& plan);

/// What a run took.
struct RunTimes {
  double preprocess_ms = 0;  ///< letterbox and conversion, or what of them is done before the run
  double inference_ms = 0, postprocess_ms = 0;
  /// Parts of inference_ms on a device of its own: images to tensors with their copies, and the engine alone.
  double letterbox_ms = 0, engine_ms = 0;

  RunTimes& operator+=(const RunTimes& other);
  RunTimes operator/(double by) const;
};

/// Detections of each image of a batch, in canvas pixels.
struct DetectedBatch {
  std::vector<std::vector<Detection>> detections;
  RunTimes times;
};

/// An engine with one image input, run on the pixels of images in batches, its outputs decoded to boxes. Not for two
/// threads at once.
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
  /// Threads of the host that it may use.
  int threads() const { return threads_; }
  /// Whether the device does all but the decoding of images: the host's threads are then free for that.
  bool is_on_own_device() const { return images_->scales(); }
  /// Another one of the same engine, batch size and head, with a context of its own.
  std::unique_ptr<Detector> Twin(int threads) const;

  /// Detections of up to batch() images that were loaded as pixels.
  DetectedBatch Run(std::span<const LoadedImage* const> images, const DetectOptions& options);

 private:
  /// work(i) for each i: by many threads where the cores are free.
  void ForEach(size_t count, const std::function<void(size_t)>& work);
  void Prepare(int64_t place, const LoadedImage& image);

  Engine engine_;
  int threads_;
  Context context_;
  std::unique_ptr<internal::ImageInput> images_;
  std::unique_ptr<ThreadPool> pool_;  ///< where the device leaves the cores free
  ImageScaler scaler_;                ///< where it doesn't scale
  Head head_;
  Preprocess preprocess_;
  int64_t batch_ = 1;
  std::vector<HostMemory> outputs_;
};

}  // namespace tenon
