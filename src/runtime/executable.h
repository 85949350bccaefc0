#pragma once
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backends/image_placement.h"
#include "tenon/tenon.hpp"

namespace tenon::internal {

/// The first input of an execution, N x 3 x H x W in FP32, whose places are filled with images: by the device where it
/// can, in the form that its first step is quickest with. Not for two threads at once, but for Prepare.
class ImageInput {
 public:
  virtual ~ImageInput() = default;
  /// Whether Prepare scales images; else it takes pixels that have their size on the canvas.
  virtual bool scales() const = 0;
  /// Takes an image for a place; the pixels may be changed when the call returns. For many threads at once, of
  /// different places. What was prepared serves one run.
  virtual void Prepare(int64_t place, const uint8_t* pixels, const ImagePlacement& placement) = 0;
  /// Puts what was prepared into the tensor. It lies in `stream()`.
  virtual void Send() {}
  /// To be bound as the input of this execution: a place, not always the elements.
  virtual const void* data() const = 0;
  virtual void* stream() const { return nullptr; }
  /// Of the last Send on a device of its own, copies included; it must be done.
  virtual double Microseconds() const { return 0; }
};

/// One stream of runs on a device; what a tenon_context holds.
class Execution {
 public:
  virtual ~Execution() = default;
  /// `step_us`: where given, gets each step's time in microseconds.
  virtual void Run(std::span<const void* const> inputs, std::span<void* const> outputs,
                   std::vector<double>* step_us) = 0;
  /// Puts a run into `stream`, a stream of the device's own kind, and returns; Synchronize waits for it. Where the
  /// device has no streams: throws Error(kInvalidInput) unless it is null, and then runs at once.
  virtual void RunAsync(std::span<const void* const> inputs, std::span<void* const> outputs, void* stream);
  /// Waits for all runs, and throws what failed in those that were put into streams.
  virtual void Synchronize() {}
  /// Between the caller's buffers and memory of the device's own, in the last run.
  virtual int64_t copied_bytes() const { return 0; }
  /// Of the last run on a device of its own, in microseconds, without copies to and from it; nothing on the CPU.
  virtual std::optional<double> device_us() const { return std::nullopt; }
  virtual int64_t memory_bytes() const = 0;
  virtual int threads() const = 0;
  /// Null where the device has no better way than a tensor of floats. It must not outlive the execution.
  virtual std::unique_ptr<ImageInput> NewImageInput(const ImageFormat&) { return nullptr; }
};

/// Memory of the host that the device copies from and to at its best; 64-byte aligned.
class HostMemory {
 public:
  virtual ~HostMemory() = default;
  virtual void* data() const = 0;
};

/// A model made ready for one device and batch size; a tenon_engine holds one of each size. Immutable.
class Executable {
 public:
  virtual ~Executable() = default;
  /// `threads`: at least 1. The execution keeps what it needs of the executable.
  virtual std::unique_ptr<Execution> NewExecution(int threads) const = 0;
  /// Outlives the executable if need be. Ordinary memory where the device shares the host's.
  virtual std::unique_ptr<HostMemory> NewHostMemory(size_t bytes) const;

  /// Dimension 0 of the first input; 1 where there is none.
  int64_t batch() const { return inputs.empty() || inputs[0].shape.empty() ? 1 : inputs[0].shape[0]; }

  std::vector<TensorInfo> inputs, outputs;
  std::map<std::string, std::string> metadata;
  std::string precision, device;
  int64_t weights_bytes = 0;  ///< of all batch sizes together
  /// What loading took beside the weights. Of a device's own memory, as its driver counted: code, rounding, whatever
  /// else took memory there at that time. On a CPU: weights expanded for kernels, once for all batch sizes.
  int64_t code_bytes = 0;
  size_t step_count = 0;
};

/// What a context runs.
const Executable& ExecutableOf(const tenon_context& context);

/// Of a context whose first input is N x 3 x H x W in FP32; must not outlive it.
std::unique_ptr<ImageInput> NewImageInput(tenon_context& context, const ImageFormat& format);

/// Bytes of a buffer for the tensor.
int64_t SizeBytes(const TensorInfo& tensor);

/// The C API's handle of executables of one model, by ascending batch size; tenon_engine_free frees it.
tenon_engine* NewHandle(std::vector<std::shared_ptr<const Executable>> executables);

}  // namespace tenon::internal
