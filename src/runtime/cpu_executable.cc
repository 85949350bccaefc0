#include "backends/cpu/cpu_program.h"
#include "base/error.h"
#include "runtime/device_executables.h"

namespace tenon {
namespace {

/// Images quantised on their way into the arena: no tensor of floats is made of them.
class QuantizedImages final : public internal::ImageInput {
 public:
  QuantizedImages(const CpuExecution& execution, const ImageFormat& format)
      : execution_(execution), image_(*execution.program().quantized_image()), format_(format) {
    for (size_t c = 0; c < values_.size(); ++c) values_[c] = image_.Quantize(format.values[c]);
  }
  bool scales() const override { return false; }
  void Prepare(int64_t place, const uint8_t* pixels, const ImagePlacement& placement) override {
    const Shape& shape = image_.shape;
    TENON_CHECK(place >= 0 && place < shape[0], "place {}", place);
    PlaceScaled(pixels, placement, format_,
                ByteCanvas{.height = static_cast<int>(shape[2]),
                           .width = static_cast<int>(shape[3]),
                           .pixels = execution_.quantized_image() + place * image_.batch_pitch,
                           .row_pitch = image_.row_pitch,
                           .values = values_});
  }
  const void* data() const override { return execution_.quantized_image(); }

 private:
  const CpuExecution& execution_;
  const QuantizedImage& image_;
  const ImageFormat format_;
  std::array<std::array<uint8_t, 256>, 3> values_;
};

class CpuContextExecution final : public internal::Execution {
 public:
  CpuContextExecution(std::shared_ptr<const CpuProgram> program, int threads)
      : execution_(std::move(program), threads) {}
  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::vector<double>* step_us) override {
    execution_.Run(inputs, outputs, step_us);
  }
  int64_t memory_bytes() const override { return execution_.memory_bytes(); }
  int threads() const override { return execution_.threads(); }
  std::unique_ptr<internal::ImageInput> NewImageInput(const ImageFormat& format) override {
    if (!execution_.quantized_image()) return nullptr;
    return std::make_unique<QuantizedImages>(execution_, format);
  }

 private:
  CpuExecution execution_;
};

class CpuExecutable final : public internal::Executable {
 public:
  CpuExecutable(const ExecutablePlan& plan, const CpuDevice& cpu, const std::shared_ptr<ExpandedWeights>& expanded)
      : program_(std::make_shared<CpuProgram>(plan.program, cpu, expanded)) {
    inputs = plan.profile.inputs;
    outputs = plan.profile.outputs;
    metadata = plan.metadata;
    precision = program_->program().precision;
    device = "cpu";
    weights_bytes = plan.weights_bytes;
    step_count = program_->program().steps.size();
  }
  std::unique_ptr<internal::Execution> NewExecution(int threads) const override {
    return std::make_unique<CpuContextExecution>(program_, threads);
  }

 private:
  std::shared_ptr<const CpuProgram> program_;
};

}  // namespace

std::shared_ptr<internal::Executable> NewCpuExecutable(const ExecutablePlan& plan, const CpuDevice& device,
                                                       const std::shared_ptr<ExpandedWeights>& expanded) {
  return std::make_shared<CpuExecutable>(plan, device, expanded);
}

}  // namespace tenon
