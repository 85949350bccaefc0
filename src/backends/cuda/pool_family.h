#pragma once
#include "backends/cuda/cuda_kernel.h"

namespace tenon::cuda {

/// Max, average and Lp pools over one or two axes, without indices, of floats and u8 maxima; any strides, vectors where
/// channels are neighbours.
class PoolFamily final : public CudaKernelFamily {
 public:
  std::string_view name() const override { return "pool"; }
  std::string Supports(const StepProblem& problem, const CudaDevice& device) const override;
  std::vector<std::string> Candidates(const StepProblem&, const CudaDevice&) const override { return {""}; }
  std::vector<KernelLaunch> Lower(const StepProblem& problem, const std::string& tactic,
                                  const CudaDevice& device) const override;
};

}  // namespace tenon::cuda
