#pragma once
#include <condition_variable>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "verify/detector.h"

namespace tenon {

enum class KeepImage { kNo, kYes };

struct PipelineOptions {
  LetterboxRule rule = LetterboxRule::kVal;
  KeepImage keep = KeepImage::kNo;
  DetectOptions detect;
};

/// What was found on one image. Where image.error is set there is nothing else.
struct DetectedImage {
  LoadedImage image;                  ///< its pixels only with KeepImage::kYes
  std::vector<Detection> detections;  ///< canvas pixels, best first
  RunTimes times;                     ///< its share of its batch's; decoding is in image.preprocess_ms
};

/// Image files to boxes, several batches at a time, in the order of the files and with the bits of one at a time. A
/// stream takes a batch all the way, with a context of its own: on a CPU it has one thread or a few, since threads that
/// share an image wait for each other at every step; a device of its own has two, so that one is at work there while
/// the other's images are decoded and judged here. At most two batches a stream are in memory. Next is for one thread;
/// destroying the pipeline early ends the streams after the batch each is at.
class DetectionPipeline {
 public:
  /// Uses detector.threads() threads. `detector` must outlive it, and not run meanwhile.
  DetectionPipeline(Detector& detector, std::vector<std::string> paths, const PipelineOptions& options);
  ~DetectionPipeline();
  DetectionPipeline(const DetectionPipeline&) = delete;
  DetectionPipeline& operator=(const DetectionPipeline&) = delete;

  /// The next image; nothing after the last. Throws Error(kInterrupted) after Ctrl-C, and what failed in a stream, but
  /// nothing for an image's sake.
  std::optional<DetectedImage> Next();

  int streams() const { return static_cast<int>(streams_.size()); }
  /// That decode at the same time.
  int loader_threads() const { return loader_threads_; }

 private:
  void OpenStreams(Detector& detector);
  void Work(Detector& detector);
  /// Claims a batch of images when there is room; its first one, or nothing at the end.
  std::optional<size_t> Claim(size_t batch);
  std::vector<LoadedImage> Load(size_t first, size_t batch);
  std::vector<DetectedImage> Detect(Detector& detector, std::vector<LoadedImage> images) const;
  void Stop();

  const std::vector<std::string> paths_;
  const PipelineOptions options_;
  LoaderOptions load_;
  int loader_threads_ = 1;
  std::unique_ptr<ImageLoader> loader_;  ///< where the device leaves the cores to decoding
  std::mutex loader_mutex_;
  std::vector<std::unique_ptr<Detector>> twins_;
  std::vector<Detector*> streams_;

  std::mutex mutex_;
  std::condition_variable room_, arrival_;
  std::map<size_t, DetectedImage> ready_;  ///< by index
  size_t claimed_ = 0, taken_ = 0, room_images_ = 1;
  std::exception_ptr failure_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace tenon
