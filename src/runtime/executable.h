#pragma once
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tenon/tenon.hpp"

namespace tenon::internal {

/// One stream of runs on a device; what a tenon_context holds.
class Execution {
 public:
  virtual ~Execution() = default;
  /// `step_us`: where given, gets each step's time in microseconds.
  virtual void Run(std::span<const void* const> inputs, std::span<void* const> outputs,
                   std::vector<double>* step_us) = 0;
  /// Puts a run into `stream`, a stream of the device's own kind, and returns; Synchronize waits for it. Where the device
  /// has no streams: throws Error(kInvalidInput) unless it is null, and then runs at once.
  virtual void RunAsync(std::span<const void* const> inputs, std::span<void* const> outputs, void* stream);
  /// Waits for all runs, and throws what failed in those that were put into streams.
  virtual void Synchronize() {}
  /// Between the caller's buffers and memory of the device's own, in the last run.
  virtual int64_t copied_bytes() const { return 0; }
  /// Of the last run on a device of its own, in microseconds, without copies to and from it; nothing on the CPU.
  virtual std::optional<double> device_us() const { return std::nullopt; }
  virtual int64_t memory_bytes() const = 0;
  virtual int threads() const = 0;
};

/// Memory of the host that the device copies from and to at its best; 64-byte aligned.
class HostMemory {
 public:
  virtual ~HostMemory() = default;
  virtual void* data() const = 0;
};

/// What an 8-bit image becomes in an input: scaled as OpenCV's INTER_LINEAR does it, twice where `first` has another
/// size than the image, placed on a canvas, and each byte replaced by `values` of its channel.
struct ImagePlacement {
  int image_height = 0, image_width = 0;    ///< 3 interleaved bytes a pixel, rows one behind another
  int first_height = 0, first_width = 0;    ///< of the first scaling
  int scaled_height = 0, scaled_width = 0;  ///< on the canvas
  int top = 0, left = 0;
  uint8_t border = 0;
};

/// How bytes become the elements of an input, for all images: of channel c of the input, byte values[c] of a pixel
/// `order`.
struct ImageFormat {
  std::array<int, 3> order = {0, 1, 2};               ///< the byte of a pixel that input channel c has
  std::array<std::array<float, 256>, 3> values = {};  ///< by input channel and byte
};

/// An N x 3 x H x W float input in a device's memory, whose places are filled with images there. Not for two threads at
/// once.
class ImageInput {
 public:
  virtual ~ImageInput() = default;
  /// Puts an image into a place; the pixels may be changed when the call returns. What it does lies in `stream()`.
  virtual void Put(int64_t place, const uint8_t* pixels, const ImagePlacement& placement) = 0;
  /// To be bound as the input.
  virtual const void* data() const = 0;
  virtual void* stream() const = 0;
};

/// A model made ready for one device and batch size; a tenon_engine holds one of each size. Immutable.
class Executable {
 public:
  virtual ~Executable() = default;
  /// `threads`: at least 1. The execution keeps what it needs of the executable.
  virtual std::unique_ptr<Execution> NewExecution(int threads) const = 0;
  /// For the first input, which must be N x 3 x H x W in FP32; null where the device has no such way.
  virtual std::unique_ptr<ImageInput> NewImageInput(const ImageFormat&) const { return nullptr; }
  /// Outlives the executable if need be. Ordinary memory where the device shares the host's.
  virtual std::unique_ptr<HostMemory> NewHostMemory(size_t bytes) const;

  /// Dimension 0 of the first input; 1 where there is none.
  int64_t batch() const { return inputs.empty() || inputs[0].shape.empty() ? 1 : inputs[0].shape[0]; }

  std::vector<TensorInfo> inputs, outputs;
  std::map<std::string, std::string> metadata;
  std::string precision, device;
  int64_t weights_bytes = 0;  ///< of all batch sizes together
  size_t step_count = 0;
};

/// What a context runs.
const Executable& ExecutableOf(const tenon_context& context);

/// Bytes of a buffer for the tensor.
int64_t SizeBytes(const TensorInfo& tensor);

/// The C API's handle of executables of one model, by ascending batch size; tenon_engine_free frees it.
tenon_engine* NewHandle(std::vector<std::shared_ptr<const Executable>> executables);

}  // namespace tenon::internal
