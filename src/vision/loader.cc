#include "vision/loader.h"

#include <algorithm>
#include <chrono>
#include <system_error>

#include "base/error.h"
#include "base/interrupt.h"
#include "vision/image.h"

namespace tenon {

LoadedImage LoadForModel(const std::string& path, const LoaderOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  LoadedImage loaded{.path = path};
  try {
    Image image = LoadImage(path);
    loaded.plan = PlanLetterbox(image.height, image.width, options.preprocess, options.rule);
    if (options.as == LoadAs::kTensor) {
      const Image canvas = Letterbox(image, loaded.plan, options.preprocess);
      loaded.tensor.resize(canvas.bgr.size());
      CanvasToTensor(canvas, options.preprocess, loaded.tensor);
    } else {
      loaded.image = std::move(image);
    }
  } catch (const std::exception& error) {  // out of memory for one huge image must not end the run either
    loaded = {.path = path, .error = error.what()};
  }
  loaded.preprocess_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return loaded;
}

ImageLoader::ImageLoader(std::vector<std::string> paths, LoaderOptions options)
    : paths_(std::move(paths)), options_(options) {
  const int threads = std::clamp(options_.threads, 1, std::max(options_.depth, 1));
  threads_.reserve(static_cast<size_t>(threads));
  try {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
  } catch (const std::system_error& error) {
    // Fewer threads load the same images, only later.
    if (threads_.empty()) ThrowInvalid({.what = "can't start a thread to load images", .got = error.what()});
  }
}

ImageLoader::~ImageLoader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  room_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ImageLoader::Work() {
  std::unique_lock lock(mutex_);
  const size_t depth = static_cast<size_t>(std::max(options_.depth, 1));
  while (true) {
    room_.wait(lock, [&] { return stopping_ || claimed_ >= paths_.size() || claimed_ < taken_ + depth; });
    if (stopping_ || claimed_ >= paths_.size()) return;
    const size_t index = claimed_++;
    lock.unlock();
    LoadedImage loaded = LoadForModel(paths_[index], options_);
    loaded.index = index;
    lock.lock();
    ready_.emplace(index, std::move(loaded));
    arrival_.notify_one();
  }
}

std::optional<LoadedImage> ImageLoader::Next() {
  std::unique_lock lock(mutex_);
  if (taken_ >= paths_.size()) return std::nullopt;
  // Looked up now and then: one huge image must not hold up Ctrl-C.
  while (!arrival_.wait_for(lock, std::chrono::milliseconds(100), [&] { return ready_.contains(taken_); }))
    CheckInterrupt();
  LoadedImage loaded = std::move(ready_.extract(taken_).mapped());
  ++taken_;
  lock.unlock();
  room_.notify_all();
  return loaded;
}

}  // namespace tenon
