#pragma once
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "vision/letterbox.h"

namespace tenon {

/// One image, ready for the model. Where `error` is set the rest is empty.
struct LoadedImage {
  size_t index = 0;  ///< in the list of paths
  std::string path;
  std::string error;  ///< why the image can't be used, naming the file
  LetterboxPlan plan;
  std::vector<float> tensor;  ///< 3 x canvas height x width, as CanvasToTensor gives it, with LoadAs::kTensor
  Image image;                ///< the original pixels, with LoadAs::kPixels
  double preprocess_ms = 0;   ///< decoding; letterbox and conversion too with LoadAs::kTensor
};

/// What becomes of an image: elements of the model's input, or the decoded pixels for who makes these of them.
enum class LoadAs { kTensor, kPixels };

struct LoaderOptions {
  Preprocess preprocess;
  LetterboxRule rule = LetterboxRule::kVal;
  LoadAs as = LoadAs::kTensor;
  int threads = 1;
  int depth = 8;  ///< images ready or in work at most: what memory use is bounded by
};

/// Decodes and letterboxes one image here and now. Never throws for the image's sake: `error` says what is wrong.
LoadedImage LoadForModel(const std::string& path, const LoaderOptions& options);

/// Decodes and letterboxes images on threads of its own, ahead of who takes them, in order. Not copyable; Next is for
/// one thread. Destroying it early stops the threads after the image each is at.
class ImageLoader {
 public:
  ImageLoader(std::vector<std::string> paths, LoaderOptions options);
  ~ImageLoader();
  ImageLoader(const ImageLoader&) = delete;
  ImageLoader& operator=(const ImageLoader&) = delete;

  size_t size() const { return paths_.size(); }
  /// The next image, in the order of the paths; nothing after the last. Never throws for an image's sake;
  /// Error(kInterrupted) after Ctrl-C.
  std::optional<LoadedImage> Next();

 private:
  void Work();

  const std::vector<std::string> paths_;
  const LoaderOptions options_;
  std::mutex mutex_;
  std::condition_variable room_, arrival_;
  std::map<size_t, LoadedImage> ready_;
  size_t claimed_ = 0, taken_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace tenon
