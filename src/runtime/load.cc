#include "runtime/load.h"

#include <algorithm>

#include "backends/list/backend_list.h"
#include "backends/step.h"
#include "base/error.h"
#include "runtime/device_executables.h"

namespace tenon {
namespace {

std::string PlanList(const EngineModel& model) {
  std::string text;
  for (const auto& plan : model.plans) text += (text.empty() ? "" : ", ") + fmt::format("\"{}\"", plan->fingerprint);
  return text;
}

/// The plans built for machines of this kind, by whatever version.
std::vector<std::shared_ptr<const Program>> PlansFor(const EngineModel& model, const Device& device) {
  const std::string fingerprint = device.Fingerprint();
  std::vector<std::shared_ptr<const Program>> plans;
  for (const auto& plan : model.plans) {
    if (plan->device == device.kind() && plan->fingerprint == fingerprint) plans.push_back(plan);
  }
  return plans;
}

}  // namespace

int64_t WeightsBytes(const Program& program) {
  int64_t bytes = 0;
  for (const Tensor& constant : program.constants) bytes += constant.size_bytes();
  for (const Blob& blob : program.packed) bytes += static_cast<int64_t>(blob.size_bytes);
  return bytes;
}

std::shared_ptr<const Program> FindPlan(const EngineModel& model, const Device& device) {
  for (const auto& plan : PlansFor(model, device)) {
    if (ForeignFamilies(*plan, device.families()).empty()) return plan;
  }
  return nullptr;
}

std::shared_ptr<const internal::Executable> NewExecutable(const EngineModel& model, const Device& device) {
  std::shared_ptr<const Program> plan = FindPlan(model, device);
  if (const auto plans = PlansFor(model, device); !plan && !plans.empty()) plan = plans[0];  // says what is foreign
  if (!plan) {
    ThrowUnsupported({.what = "the engine has no plan for this machine",
                      .where = device.Fingerprint(),
                      .got = "plans for " + PlanList(model),
                      .hint = "Use --build to make one here, or tenon export --add-device on a machine of this kind."});
  }
  if (const auto* gpu = dynamic_cast<const CudaDevice*>(&device)) return NewCudaExecutable(model, plan, *gpu);
  const auto* cpu = dynamic_cast<const CpuDevice*>(&device);
  TENON_CHECK(cpu, "no executables for {}", device.kind());
  return NewCpuExecutable(model, plan, *cpu);
}

std::shared_ptr<const internal::Executable> NewExecutableOn(const EngineModel& model, const std::string& device) {
  if (!device.empty()) return NewExecutable(model, *OpenDevice(device));
  const bool has_gpu_plan = std::any_of(model.plans.begin(), model.plans.end(),
                                        [](const auto& plan) { return plan->device == "cuda"; });
  if (has_gpu_plan) {
    const std::shared_ptr<const Device> gpu = FirstGpu();
    if (gpu && FindPlan(model, *gpu)) return NewExecutable(model, *gpu);
  }
  return NewExecutable(model, CpuDevice::Detect());
}

Engine MakeEngine(const std::shared_ptr<const EngineModel>& model, const Device& device) {
  return Engine::Adopt(internal::NewHandle(NewExecutable(*model, device)));
}

}  // namespace tenon
