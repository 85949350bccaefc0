#include "runtime/executable.h"

#include <algorithm>

#include "base/error.h"
#include "ir/tensor.h"

namespace tenon::internal {
namespace {

class OrdinaryMemory final : public HostMemory {
 public:
  explicit OrdinaryMemory(size_t bytes) : bytes_(DType::kUInt8, {static_cast<int64_t>(std::max<size_t>(1, bytes))}) {}
  void* data() const override { return bytes_.raw(); }

 private:
  mutable Tensor bytes_;
};

}  // namespace

void Execution::RunAsync(std::span<const void* const> inputs, std::span<void* const> outputs, void* stream) {
  if (stream)
    ThrowInvalid({.what = "a CUDA stream for an engine that doesn't run on a GPU",
                  .expected = "a null stream: the run is then done when the call returns",
                  .hint = "Wait for the stream yourself and use tenon_context_run."});
  Run(inputs, outputs, nullptr);
}

std::unique_ptr<HostMemory> Executable::NewHostMemory(size_t bytes) const {
  return std::make_unique<OrdinaryMemory>(bytes);
}

}  // namespace tenon::internal
