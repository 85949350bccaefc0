#include <algorithm>
#include <optional>

#include "backends/cuda/cuda_program.h"
#include "backends/cuda/image_placer.h"
#include "runtime/device_executables.h"

namespace tenon {
namespace {

/// Something of the GPU's, made, used and destroyed with its context current and the caller's current again afterwards.
template <class T>
class OnGpu {
 public:
  template <class... Arguments>
  explicit OnGpu(std::shared_ptr<const cuda::GpuContext> gpu, Arguments&&... arguments) : gpu_(std::move(gpu)) {
    const cuda::CurrentContext current(*gpu_);
    value_.emplace(std::forward<Arguments>(arguments)...);
  }
  ~OnGpu() {
    const cuda::CurrentContext current(*gpu_);
    value_.reset();
  }
  OnGpu(const OnGpu&) = delete;
  OnGpu& operator=(const OnGpu&) = delete;

  template <class Use>
  void With(const Use& use) {
    const cuda::CurrentContext current(*gpu_);
    use(*value_);
  }
  template <class Use>
  void With(const Use& use) const {
    const cuda::CurrentContext current(*gpu_);
    use(*value_);
  }
  const T& value() const { return *value_; }

 private:
  std::shared_ptr<const cuda::GpuContext> gpu_;
  std::optional<T> value_;
};

class PinnedMemory final : public internal::HostMemory {
 public:
  PinnedMemory(std::shared_ptr<const cuda::GpuContext> gpu, size_t bytes) : buffer_(gpu, gpu->driver(), bytes) {}
  void* data() const override { return buffer_.value().data(); }

 private:
  OnGpu<cuda::HostBuffer> buffer_;
};

class CudaImageInput final : public internal::ImageInput {
 public:
  CudaImageInput(const std::shared_ptr<const cuda::GpuContext>& gpu, std::span<const std::byte> code,
                 const Shape& shape, const ImageFormat& format)
      : placer_(gpu, gpu, code, shape, format) {}
  bool scales() const override { return true; }
  void Prepare(int64_t place, const uint8_t* pixels, const ImagePlacement& placement) override {
    placer_.With([&](ImagePlacer& placer) { placer.Prepare(place, pixels, placement); });
  }
  void Send() override {
    placer_.With([](ImagePlacer& placer) { placer.Send(); });
  }
  const void* data() const override { return reinterpret_cast<const void*>(placer_.value().tensor()); }
  void* stream() const override { return placer_.value().stream().handle(); }
  double Microseconds() const override {
    double us = 0;
    placer_.With([&](const ImagePlacer& placer) { us = placer.Microseconds(); });
    return us;
  }

 private:
  OnGpu<ImagePlacer> placer_;
};

class CudaContextExecution final : public internal::Execution {
 public:
  CudaContextExecution(std::shared_ptr<const CudaProgram> program, const std::vector<TensorInfo>& inputs,
                       const std::vector<TensorInfo>& outputs)
      : program_(std::move(program)),
        inputs_(inputs),
        execution_(program_->shared_gpu(), program_, Sizes(inputs), Sizes(outputs)) {}
  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::vector<double>* step_us) override {
    execution_.With([&](CudaExecution& execution) { execution.Run(inputs, outputs, step_us); });
  }
  void RunAsync(std::span<const void* const> inputs, std::span<void* const> outputs, void* stream) override {
    execution_.With([&](CudaExecution& execution) {
      execution.RunAsync(inputs, outputs, static_cast<cuda::StreamHandle>(stream));
    });
  }
  void Synchronize() override {
    execution_.With([](CudaExecution& execution) { execution.Synchronize(); });
  }
  int64_t memory_bytes() const override { return execution_.value().memory_bytes(); }
  int64_t copied_bytes() const override { return execution_.value().copied_bytes(); }
  int threads() const override { return 1; }
  std::optional<double> device_us() const override { return execution_.value().last_graph_us(); }
  /// Null for plans of before there was such a kernel.
  std::unique_ptr<internal::ImageInput> NewImageInput(const ImageFormat& format) override {
    const Digest source = cuda::SourceDigest(LetterboxSource());
    const std::vector<ProgramCode>& code = program_->program().code;
    const auto found =
        std::find_if(code.begin(), code.end(), [&](const auto& kernel) { return kernel.source == source; });
    if (found == code.end()) return nullptr;
    return std::make_unique<CudaImageInput>(program_->shared_gpu(), found->code.bytes(), inputs_.at(0).shape, format);
  }

 private:
  static std::vector<int64_t> Sizes(const std::vector<TensorInfo>& tensors) {
    std::vector<int64_t> sizes;
    for (const TensorInfo& tensor : tensors) sizes.push_back(internal::SizeBytes(tensor));
    return sizes;
  }

  std::shared_ptr<const CudaProgram> program_;
  std::vector<TensorInfo> inputs_;
  OnGpu<CudaExecution> execution_;
};

class CudaExecutable final : public internal::Executable {
 public:
  CudaExecutable(const ExecutablePlan& plan, const CudaDevice& gpu, const std::shared_ptr<CudaWeights>& weights)
      : program_(std::make_shared<CudaProgram>(plan.program, gpu, weights)) {
    inputs = plan.profile.inputs;
    outputs = plan.profile.outputs;
    metadata = plan.metadata;
    precision = program_->program().precision;
    device = "cuda";
    weights_bytes = plan.weights_bytes;
    step_count = program_->program().steps.size();
  }
  std::unique_ptr<internal::Execution> NewExecution(int) const override {
    return std::make_unique<CudaContextExecution>(program_, inputs, outputs);
  }
  std::unique_ptr<internal::HostMemory> NewHostMemory(size_t bytes) const override {
    return std::make_unique<PinnedMemory>(program_->shared_gpu(), bytes);
  }

 private:
  std::shared_ptr<const CudaProgram> program_;
};

}  // namespace

std::shared_ptr<internal::Executable> NewCudaExecutable(const ExecutablePlan& plan, const CudaDevice& device,
                                                        const std::shared_ptr<CudaWeights>& weights) {
  const cuda::CurrentContext current(device.gpu());
  return std::make_shared<CudaExecutable>(plan, device, weights);
}

}  // namespace tenon
