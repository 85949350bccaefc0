#pragma once
#include "backends/cuda/cuda_kernel.h"

namespace tenon::cuda {

/// LayerNorm (with its moments), GroupNorm and so InstanceNormalization; any strides.
class NormFamily final : public CudaKernelFamily {
 public:
  std::string_view name() const override { return "norm"; }
  std::string Supports(const StepProblem& problem, const CudaDevice& device) const override;
  std::vector<std::string> Candidates(const StepProblem&, const CudaDevice&) const override { return {""}; }
  std::vector<KernelLaunch> Lower(const StepProblem& problem, const std::string& tactic,
                                  const CudaDevice& device) const override;
};

}  // namespace tenon::cuda
