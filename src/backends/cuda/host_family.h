#pragma once
#include "backends/cuda/cuda_kernel.h"

namespace tenon::cuda {

/// Any op with static output shapes, by its reference evaluation on the host, in the middle of the GPU's graph: slow,
/// always right. What no other family takes runs here, and the plan says so. It launches nothing: the execution copies
/// the operands to the host, calls the op and copies the results back.
class HostFamily final : public CudaKernelFamily {
 public:
  std::string_view name() const override { return "host"; }
  bool is_reference() const override { return true; }
  std::string Supports(const StepProblem&, const CudaDevice&) const override { return {}; }
  std::vector<std::string> Candidates(const StepProblem&, const CudaDevice&) const override { return {""}; }
  std::vector<KernelLaunch> Lower(const StepProblem&, const std::string&, const CudaDevice&) const override {
    return {};
  }
};

}  // namespace tenon::cuda
