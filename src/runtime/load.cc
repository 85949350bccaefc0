#include "runtime/load.h"

#include <algorithm>
#include <set>

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

/// The profile's plans built for machines of this kind, by whatever version.
std::vector<std::shared_ptr<const Program>> PlansFor(const EngineModel& model, const Device& device, size_t profile) {
  const std::string fingerprint = device.Fingerprint();
  std::vector<std::shared_ptr<const Program>> plans;
  for (const auto& plan : model.plans) {
    const bool fits = plan->device == device.kind() && plan->fingerprint == fingerprint;
    if (fits && static_cast<size_t>(plan->profile) == profile) plans.push_back(plan);
  }
  return plans;
}

std::shared_ptr<const Program> RequirePlan(const EngineModel& model, const Device& device, size_t profile) {
  if (auto plan = FindPlan(model, device, profile)) return plan;
  if (const auto plans = PlansFor(model, device, profile); !plans.empty()) return plans[0];  // says what is foreign
  ThrowUnsupported({.what = "the engine has no plan for this machine",
                    .where = device.Fingerprint(),
                    .got = "plans for " + PlanList(model),
                    .hint = "Use --build to make one here, or tenon export --add-device on a machine of this kind."});
}

/// Of all plans together: what several share counts once.
int64_t SharedWeightsBytes(const std::vector<std::shared_ptr<const Program>>& plans) {
  std::set<const std::byte*> seen;
  int64_t bytes = 0;
  const auto add = [&](std::span<const std::byte> piece) {
    if (seen.insert(piece.data()).second) bytes += static_cast<int64_t>(piece.size());
  };
  for (const auto& plan : plans) {
    for (const Tensor& constant : plan->constants) add(constant.bytes());
    for (const Blob& blob : plan->packed) add(blob.bytes());
  }
  return bytes;
}

}  // namespace

int64_t WeightsBytes(const Program& program) {
  int64_t bytes = 0;
  for (const Tensor& constant : program.constants) bytes += constant.size_bytes();
  for (const Blob& blob : program.packed) bytes += static_cast<int64_t>(blob.size_bytes);
  return bytes;
}

std::shared_ptr<const Program> FindPlan(const EngineModel& model, const Device& device, size_t profile) {
  for (const auto& plan : PlansFor(model, device, profile)) {
    if (ForeignFamilies(*plan, device.families()).empty()) return plan;
  }
  return nullptr;
}

bool HasPlans(const EngineModel& model, const Device& device) {
  for (size_t i = 0; i < model.profile_count(); ++i) {
    if (!FindPlan(model, device, i)) return false;
  }
  return true;
}

Executables NewExecutables(const EngineModel& model, const Device& device) {
  std::vector<std::shared_ptr<const Program>> plans;
  for (size_t i = 0; i < model.profile_count(); ++i) plans.push_back(RequirePlan(model, device, i));
  const int64_t weights_bytes = SharedWeightsBytes(plans);
  const auto* gpu = dynamic_cast<const CudaDevice*>(&device);
  const auto* cpu = dynamic_cast<const CpuDevice*>(&device);
  TENON_CHECK(gpu || cpu, "no executables for {}", device.kind());
  const auto weights = gpu ? std::make_shared<CudaWeights>(gpu->context) : nullptr;
  const auto expanded = std::make_shared<ExpandedWeights>();
  const std::optional<int64_t> free_before = device.FreeMemoryBytes();
  std::vector<std::shared_ptr<internal::Executable>> executables;
  for (size_t i = 0; i < plans.size(); ++i) {
    const ExecutablePlan plan{model.profile(i), model.metadata, plans[i], weights_bytes};
    executables.push_back(gpu ? NewCudaExecutable(plan, *gpu, weights) : NewCpuExecutable(plan, *cpu, expanded));
  }
  // What a driver makes of machine code nobody else can tell.
  const int64_t taken = free_before ? *free_before - *device.FreeMemoryBytes() : 0;
  for (const auto& executable : executables)
    executable->code_bytes = gpu ? std::max<int64_t>(0, taken - weights_bytes) : expanded->allocated_bytes();
  return {executables.begin(), executables.end()};
}

Executables NewExecutablesOn(const EngineModel& model, const std::string& device) {
  if (!device.empty()) return NewExecutables(model, *OpenDevice(device));
  const bool has_gpu_plan =
      std::any_of(model.plans.begin(), model.plans.end(), [](const auto& plan) { return plan->device == "cuda"; });
  if (has_gpu_plan) {
    const std::shared_ptr<const Device> gpu = FirstGpu();
    if (gpu && HasPlans(model, *gpu)) return NewExecutables(model, *gpu);
  }
  return NewExecutables(model, CpuDevice::Detect());
}

Engine MakeEngine(const std::shared_ptr<const EngineModel>& model, const Device& device) {
  return Engine::Adopt(internal::NewHandle(NewExecutables(*model, device)));
}

}  // namespace tenon
