#pragma once
#include "backends/cuda/cuda_kernel.h"

namespace tenon::cuda {

/// TopK of up to 2048 elements of each row, of floats and integers up to 32 bits, along any axis and strides.
class TopKFamily final : public CudaKernelFamily {
 public:
  std::string_view name() const override { return "top_k"; }
  bool skips_outputs() const override { return true; }
  std::string Supports(const StepProblem& problem, const CudaDevice& device) const override;
  std::vector<std::string> Candidates(const StepProblem&, const CudaDevice&) const override { return {""}; }
  std::vector<KernelLaunch> Lower(const StepProblem& problem, const std::string& tactic,
                                  const CudaDevice& device) const override;
};

}  // namespace tenon::cuda
