#include "backends/cuda/caller_memory.h"

#include "backends/kernel.h"
#include "base/error.h"

namespace tenon::cuda {

std::optional<DevicePtr> AddressInPlace(const GpuContext& context, const void* buffer) {
  const auto address = reinterpret_cast<DevicePtr>(buffer);
  // Kernels read as many bytes at once as a tensor's alignment allows.
  if (address % static_cast<DevicePtr>(AlignmentAt(0)) != 0) return std::nullopt;
  unsigned type = 0;
  int ordinal = -1;
  PointerAttribute which[] = {PointerAttribute::kMemoryType, PointerAttribute::kDeviceOrdinal};
  void* values[] = {&type, &ordinal};
  const Driver& driver = context.driver();
  driver.Check(driver.api().pointer_attributes(2, which, values, address), "tell where a buffer lies");
  if (type != kDeviceMemory || ordinal != context.gpu().ordinal) return std::nullopt;
  return address;
}

void CheckCallerStream(const GpuContext& context, StreamHandle stream) {
  const Driver& driver = context.driver();
  ContextHandle owner = nullptr;
  driver.Check(driver.api().stream_context(stream, &owner), "tell a stream's context");
  if (owner != context.handle())
    ThrowInvalid(
        {.what = "the stream is of another CUDA context",
         .expected = "a stream of cuda:" + std::to_string(context.gpu().ordinal) + "'s primary context",
         .hint = "Make it with cudaStreamCreate after cudaSetDevice, or load the engine for the stream's GPU."});
  int status = 0;
  driver.Check(driver.api().stream_is_capturing(stream, &status), "tell a stream's state");
  if (status != 0)
    ThrowInvalid({.what = "the stream is being recorded into a CUDA graph",
                  .expected = "a stream that runs",
                  .hint = "A run is a graph of its own: call tenon_context_run_async outside of the recording."});
}

}  // namespace tenon::cuda
