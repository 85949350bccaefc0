#pragma once
#include "backends/cuda/cuda_kernel.h"

namespace tenon::cuda {

/// Gather, GatherElements, GatherND and Tile of every element type; any strides. Where the reference refuses an index
/// outside of its axis the result is zeros: a kernel can't fail.
class GatherFamily final : public CudaKernelFamily {
 public:
  std::string_view name() const override { return "gather"; }
  std::string Supports(const StepProblem& problem, const CudaDevice& device) const override;
  std::vector<std::string> Candidates(const StepProblem&, const CudaDevice&) const override { return {""}; }
  std::vector<KernelLaunch> Lower(const StepProblem& problem, const std::string& tactic,
                                  const CudaDevice& device) const override;
};

}  // namespace tenon::cuda
