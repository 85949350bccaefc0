#include "backends/cuda/cuda_program.h"
#include "runtime/device_executables.h"

namespace tenon {
namespace {

class CudaContextExecution final : public internal::Execution {
 public:
  CudaContextExecution(std::shared_ptr<const CudaProgram> program, const std::vector<int64_t>& input_bytes,
                       const std::vector<int64_t>& output_bytes)
      : execution_(std::move(program), input_bytes, output_bytes) {}
  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::vector<double>* step_us) override {
    execution_.Run(inputs, outputs, step_us);
  }
  int64_t memory_bytes() const override { return execution_.memory_bytes(); }
  int threads() const override { return 1; }
  std::optional<double> device_us() const override { return execution_.last_graph_us(); }

 private:
  CudaExecution execution_;
};

class CudaExecutable final : public internal::Executable {
 public:
  CudaExecutable(const EngineModel& model, std::shared_ptr<const Program> plan, const CudaDevice& gpu)
      : program_(std::make_shared<CudaProgram>(std::move(plan), gpu)) {
    inputs = model.inputs;
    outputs = model.outputs;
    metadata = model.metadata;
    precision = program_->program().precision;
    device = "cuda";
    weights_bytes = WeightsBytes(program_->program());
    step_count = program_->program().steps.size();
  }
  std::unique_ptr<internal::Execution> NewExecution(int) const override {
    return std::make_unique<CudaContextExecution>(program_, Sizes(inputs), Sizes(outputs));
  }

 private:
  static std::vector<int64_t> Sizes(const std::vector<TensorInfo>& tensors) {
    std::vector<int64_t> sizes;
    for (const TensorInfo& tensor : tensors) sizes.push_back(internal::SizeBytes(tensor));
    return sizes;
  }

  std::shared_ptr<const CudaProgram> program_;
};

}  // namespace

std::shared_ptr<const internal::Executable> NewCudaExecutable(const EngineModel& model,
                                                              std::shared_ptr<const Program> plan,
                                                              const CudaDevice& device) {
  return std::make_shared<CudaExecutable>(model, std::move(plan), device);
}

}  // namespace tenon
