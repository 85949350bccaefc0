#include "verify/detection_pipeline.h"

#include <algorithm>
#include <chrono>
#include <system_error>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"

namespace tenon {
namespace {

/// More would rather hold memory than use it: each has all of the model's activations.
constexpr int kMostStreamsOfCpu = 8, kStreamsOfDevice = 2;

int StreamCount(const Detector& detector, size_t images) {
  const auto batch = static_cast<size_t>(detector.batch());
  const auto batches = static_cast<int>(std::min<size_t>((images + batch - 1) / batch, 1024));
  const int useful = detector.is_on_own_device() ? kStreamsOfDevice : std::min(detector.threads(), kMostStreamsOfCpu);
  return std::clamp(batches, 1, useful);
}

}  // namespace

DetectionPipeline::DetectionPipeline(Detector& detector, std::vector<std::string> paths, const PipelineOptions& options)
    : paths_(std::move(paths)),
      options_(options),
      load_{.preprocess = detector.preprocess(), .rule = options.rule, .as = LoadAs::kPixels} {
  OpenStreams(detector);
  const size_t batch = static_cast<size_t>(detector.batch());
  room_images_ = 2 * batch * streams_.size();
  loader_threads_ = streams();
  if (detector.is_on_own_device()) {
    loader_threads_ = load_.threads = detector.threads();
    load_.depth = std::max(static_cast<int>(2 * batch), 2 * load_.threads);
    loader_ = std::make_unique<ImageLoader>(paths_, load_);
  }
  try {
    for (Detector* stream : streams_) threads_.emplace_back([this, stream] { Work(*stream); });
  } catch (const std::system_error& error) {
    // Fewer threads do the same work, only later.
    if (threads_.empty()) ThrowInvalid({.what = "can't start a thread to run images", .got = error.what()});
  }
}

DetectionPipeline::~DetectionPipeline() {
  Stop();
  for (std::thread& thread : threads_) thread.join();
}

void DetectionPipeline::OpenStreams(Detector& detector) {
  const int count = StreamCount(detector, paths_.size());
  // On a CPU one with all threads is of no use beside others with few.
  if (count == 1 || detector.is_on_own_device()) streams_.push_back(&detector);
  try {
    while (streams() < count) {
      const int threads = detector.threads() / count + (streams() < detector.threads() % count ? 1 : 0);
      twins_.push_back(detector.Twin(std::max(1, threads)));
      streams_.push_back(twins_.back().get());
    }
  } catch (const Error& error) {
    if (streams_.empty()) streams_.push_back(&detector);
    Log().info("{} images or batches at a time, not {}: {}", streams(), count, error.what());
  }
}

std::optional<size_t> DetectionPipeline::Claim(size_t batch) {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [&] { return stopping_ || claimed_ >= paths_.size() || claimed_ + batch <= taken_ + room_images_; });
  if (stopping_ || claimed_ >= paths_.size()) return std::nullopt;
  return std::exchange(claimed_, claimed_ + batch);
}

std::vector<LoadedImage> DetectionPipeline::Load(size_t first, size_t batch) {
  std::vector<LoadedImage> images;
  if (loader_) {
    const std::lock_guard lock(loader_mutex_);
    while (images.size() < batch) {
      auto image = loader_->Next();
      if (!image) break;
      images.push_back(*std::move(image));
    }
    return images;
  }
  for (size_t i = first; i < std::min(first + batch, paths_.size()); ++i) {
    CheckInterrupt();
    images.push_back(LoadForModel(paths_[i], load_));
    images.back().index = i;
  }
  return images;
}

std::vector<DetectedImage> DetectionPipeline::Detect(Detector& detector, std::vector<LoadedImage> images) const {
  std::vector<const LoadedImage*> readable;
  for (const LoadedImage& image : images) {
    if (image.error.empty()) readable.push_back(&image);
  }
  DetectedBatch batch;
  if (!readable.empty()) batch = detector.Run(readable, options_.detect);
  const RunTimes share = batch.times / static_cast<double>(std::max<size_t>(1, readable.size()));
  std::vector<DetectedImage> detected;
  size_t next = 0;
  for (LoadedImage& image : images) {
    DetectedImage& one = detected.emplace_back(DetectedImage{.image = std::move(image), .detections = {}, .times = {}});
    if (options_.keep == KeepImage::kNo) one.image.image = {};
    if (!one.image.error.empty()) continue;
    one.detections = std::move(batch.detections[next++]);
    one.times = share;
  }
  return detected;
}

void DetectionPipeline::Work(Detector& detector) {
  const auto batch = static_cast<size_t>(detector.batch());
  try {
    while (const auto first = Claim(batch)) {
      std::vector<DetectedImage> detected = Detect(detector, Load(*first, batch));
      const std::lock_guard lock(mutex_);
      for (DetectedImage& one : detected) {
        const size_t index = one.image.index;
        ready_.emplace(index, std::move(one));
      }
      arrival_.notify_one();
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
    arrival_.notify_one();
  }
}

std::optional<DetectedImage> DetectionPipeline::Next() {
  std::unique_lock lock(mutex_);
  if (taken_ >= paths_.size()) return std::nullopt;
  // Looked up now and then: a slow batch must not hold up Ctrl-C.
  while (!arrival_.wait_for(lock, std::chrono::milliseconds(100), [&] { return failure_ || ready_.contains(taken_); }))
    CheckInterrupt();
  if (failure_) std::rethrow_exception(failure_);
  DetectedImage detected = std::move(ready_.extract(taken_).mapped());
  ++taken_;
  lock.unlock();
  room_.notify_all();
  return detected;
}

void DetectionPipeline::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  room_.notify_all();
}

}  // namespace tenon
