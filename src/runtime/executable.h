#pragma once
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

/// A model made ready for one device; what a tenon_engine holds. Immutable.
class Executable {
 public:
  virtual ~Executable() = default;
  /// `threads`: at least 1. The execution keeps what it needs of the executable.
  virtual std::unique_ptr<Execution> NewExecution(int threads) const = 0;
  /// Outlives the executable if need be. Ordinary memory where the device shares the host's.
  virtual std::unique_ptr<HostMemory> NewHostMemory(size_t bytes) const;

  std::vector<TensorInfo> inputs, outputs;
  std::map<std::string, std::string> metadata;
  std::string precision, device;
  int64_t weights_bytes = 0;
  size_t step_count = 0;
};

/// Bytes of a buffer for the tensor.
int64_t SizeBytes(const TensorInfo& tensor);

/// The C API's handle of an executable; tenon_engine_free frees it.
tenon_engine* NewHandle(std::shared_ptr<const Executable> executable);

}  // namespace tenon::internal
