#include "backends/cpu/cpu_program.h"
#include "runtime/device_executables.h"

namespace tenon {
namespace {

class CpuContextExecution final : public internal::Execution {
 public:
  CpuContextExecution(std::shared_ptr<const CpuProgram> program, int threads)
      : execution_(std::move(program), threads) {}
  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::vector<double>* step_us) override {
    execution_.Run(inputs, outputs, step_us);
  }
  int64_t memory_bytes() const override { return execution_.memory_bytes(); }
  int threads() const override { return execution_.threads(); }

 private:
  CpuExecution execution_;
};

class CpuExecutable final : public internal::Executable {
 public:
  CpuExecutable(const ExecutablePlan& plan, const CpuDevice& cpu)
      : program_(std::make_shared<CpuProgram>(plan.program, cpu)) {
    inputs = plan.profile.inputs;
    outputs = plan.profile.outputs;
    metadata = plan.metadata;
    precision = program_->program().precision;
    device = "cpu";
    weights_bytes = plan.weights_bytes + program_->expanded_bytes();
    step_count = program_->program().steps.size();
  }
  std::unique_ptr<internal::Execution> NewExecution(int threads) const override {
    return std::make_unique<CpuContextExecution>(program_, threads);
  }

 private:
  std::shared_ptr<const CpuProgram> program_;
};

}  // namespace

std::shared_ptr<internal::Executable> NewCpuExecutable(const ExecutablePlan& plan, const CpuDevice& device) {
  return std::make_shared<CpuExecutable>(plan, device);
}

}  // namespace tenon
