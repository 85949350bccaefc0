#include "runtime/executable.h"

#include <algorithm>

#include "base/error.h"
#include "ir/tensor.h"
#include "runtime/c_handles.h"

namespace tenon::internal {
namespace {

class OrdinaryMemory final : public HostMemory {
 public:
  explicit OrdinaryMemory(size_t bytes) : bytes_(DType::kUInt8, {static_cast<int64_t>(std::max<size_t>(1, bytes))}) {}
  void* data() const override { return bytes_.raw(); }

 private:
  mutable Tensor bytes_;
};

/// Images as floats in memory that the device copies from at its best.
class FloatImages final : public ImageInput {
 public:
  FloatImages(const Executable& executable, const ImageFormat& format)
      : shape_(executable.inputs.at(0).shape),
        format_(format),
        memory_(executable.NewHostMemory(static_cast<size_t>(SizeBytes(executable.inputs[0])))) {
    TENON_CHECK(shape_.size() == 4 && shape_[1] == 3);
  }
  bool scales() const override { return false; }
  void Prepare(int64_t place, const uint8_t* pixels, const ImagePlacement& placement) override {
    TENON_CHECK(place >= 0 && place < shape_[0], "place {}", place);
    PlaceScaled(pixels, placement, format_,
                FloatCanvas{.height = static_cast<int>(shape_[2]),
                            .width = static_cast<int>(shape_[3]),
                            .planes = static_cast<float*>(memory_->data()) + place * 3 * shape_[2] * shape_[3]});
  }
  const void* data() const override { return memory_->data(); }

 private:
  const Shape shape_;
  const ImageFormat format_;
  std::unique_ptr<HostMemory> memory_;
};

}  // namespace

std::unique_ptr<ImageInput> NewImageInput(tenon_context& context, const ImageFormat& format) {
  if (auto input = context.execution->NewImageInput(format)) return input;
  return std::make_unique<FloatImages>(*context.executable, format);
}

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
