#pragma once
#include "backends/cuda/cuda_kernel.h"

namespace tenon::cuda {

/// Reductions of every kind over any constant axes: floats in FP32, integers exactly (those kinds that are).
class ReduceFamily final : public CudaKernelFamily {
 public:
  std::string_view name() const override { return "reduce"; }
  std::string Supports(const StepProblem& problem, const CudaDevice& device) const override;
  std::vector<std::string> Candidates(const StepProblem&, const CudaDevice&) const override { return {""}; }
  std::vector<KernelLaunch> Lower(const StepProblem& problem, const std::string& tactic,
                                  const CudaDevice& device) const override;
  int64_t ScratchBytes(const StepProblem& problem, const std::string& tactic, const CudaDevice& device) const override;
};

}  // namespace tenon::cuda
