#pragma once
#include "backends/cuda/cuda_kernel.h"

namespace tenon::cuda {

/// Resize along any axes, of floats; nearest also of bytes and 32-bit integers. Taps are packed constants.
class ResizeFamily final : public CudaKernelFamily {
 public:
  std::string_view name() const override { return "resize"; }
  std::string Supports(const StepProblem& problem, const CudaDevice& device) const override;
  std::vector<std::string> Candidates(const StepProblem&, const CudaDevice&) const override { return {""}; }
  std::vector<std::byte> Pack(const StepProblem& problem, const std::string& tactic,
                              const CudaDevice& device) const override;
  using CudaKernelFamily::PackedBytes;
  size_t PackedBytes(const StepProblem& problem, const std::string& tactic, const CudaDevice& device) const override;
  std::vector<KernelLaunch> Lower(const StepProblem& problem, const std::string& tactic,
                                  const CudaDevice& device) const override;
};

}  // namespace tenon::cuda
