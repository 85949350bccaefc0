#pragma once
#include "backends/cuda/cuda_kernel.h"

namespace tenon::cuda {

/// Attention in one kernel. "mma wW": half operands without a mask by matrix instructions, W warps sharing the keys of
/// 16 queries; "rows rR": anything, R queries a block, in FP32 multiply-adds.
/// With "mma" the order of the sums over the keys is the tactic's.
class AttentionFamily final : public CudaKernelFamily {
 public:
  std::string_view name() const override { return "attention"; }
  std::string Supports(const StepProblem& problem, const CudaDevice& device) const override;
  std::vector<std::string> Candidates(const StepProblem& problem, const CudaDevice& device) const override;
  std::vector<KernelLaunch> Lower(const StepProblem& problem, const std::string& tactic,
                                  const CudaDevice& device) const override;
};

}  // namespace tenon::cuda
