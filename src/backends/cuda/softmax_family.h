#pragma once
#include "backends/cuda/cuda_kernel.h"

namespace tenon::cuda {

/// Softmax and LogSoftmax along an axis of any length and strides.
class SoftmaxFamily final : public CudaKernelFamily {
 public:
  std::string_view name() const override { return "softmax"; }
  std::string Supports(const StepProblem& problem, const CudaDevice& device) const override;
  std::vector<std::string> Candidates(const StepProblem&, const CudaDevice&) const override { return {""}; }
  std::vector<KernelLaunch> Lower(const StepProblem& problem, const std::string& tactic,
                                  const CudaDevice& device) const override;
};

}  // namespace tenon::cuda
