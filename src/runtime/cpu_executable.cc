#include "backends/cpu/cpu_program.h"
#include "base/error.h"
#include "runtime/executable.h"
#include "runtime/load.h"

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
  CpuExecutable(const EngineModel& model, std::shared_ptr<const Program> plan, const CpuDevice& cpu)
      : program_(std::make_shared<CpuProgram>(std::move(plan), cpu)) {
    inputs = model.inputs;
    outputs = model.outputs;
    metadata = model.metadata;
    precision = program_->program().precision;
    device = "cpu";
    weights_bytes = WeightsBytes(program_->program());
    step_count = program_->program().steps.size();
  }
  std::unique_ptr<internal::Execution> NewExecution(int threads) const override {
    return std::make_unique<CpuContextExecution>(program_, threads);
  }

 private:
  std::shared_ptr<const CpuProgram> program_;
};

std::string PlanList(const EngineModel& model) {
  std::string text;
  for (const auto& plan : model.plans) text += (text.empty() ? "" : ", ") + fmt::format("\"{}\"", plan->fingerprint);
  return text;
}

}  // namespace

int64_t WeightsBytes(const Program& program) {
  int64_t bytes = 0;
  for (const Tensor& constant : program.constants) bytes += constant.size_bytes();
  for (const Blob& blob : program.packed) bytes += static_cast<int64_t>(blob.size_bytes);
  return bytes;
}

namespace {

/// The plans built for machines of this kind, by whatever version.
std::vector<std::shared_ptr<const Program>> PlansFor(const EngineModel& model, const CpuDevice& device) {
  const std::string fingerprint = device.Fingerprint();
  std::vector<std::shared_ptr<const Program>> plans;
  for (const auto& plan : model.plans) {
    if (plan->device == "cpu" && plan->fingerprint == fingerprint) plans.push_back(plan);
  }
  return plans;
}

}  // namespace

std::shared_ptr<const Program> FindPlan(const EngineModel& model, const CpuDevice& device) {
  for (const auto& plan : PlansFor(model, device)) {
    if (ForeignFamilies(*plan).empty()) return plan;
  }
  return nullptr;
}

std::shared_ptr<const internal::Executable> NewCpuExecutable(const EngineModel& model, const CpuDevice& device) {
  std::shared_ptr<const Program> plan = FindPlan(model, device);
  if (const auto plans = PlansFor(model, device); !plan && !plans.empty()) plan = plans[0];  // says what is foreign
  if (!plan) {
    ThrowUnsupported({.what = "the engine has no plan for this machine",
                      .where = device.Fingerprint(),
                      .got = "plans for " + PlanList(model),
                      .hint = "Use --build to make one here, or tenon export --add-device on a machine of this kind."});
  }
  return std::make_shared<CpuExecutable>(model, plan, device);
}

Engine MakeCpuEngine(const std::shared_ptr<const EngineModel>& model, const CpuDevice& device) {
  return Engine::Adopt(internal::NewHandle(NewCpuExecutable(*model, device)));
}

}  // namespace tenon
