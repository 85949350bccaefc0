#pragma once
#include "backends/cpu/cpu_kernel.h"

namespace tenon {

/// Reduce over any axes, f32 and bf16, accumulated in FP32 in one fixed order (blocks of 64 along the reduced
/// elements). The tactic holds the axes, because the operand with them is not there at load.
class ReduceFamily final : public CpuKernelFamily {
 public:
  std::string_view name() const override { return "reduce"; }
  int version() const override { return 2; }
  std::string Supports(const StepProblem& problem, const CpuDevice& device) const override;
  std::vector<std::string> Candidates(const StepProblem& problem, const CpuDevice& device) const override;
  std::unique_ptr<Kernel> Create(const StepProblem& problem, const std::string& tactic,
                                 const CpuDevice& device) const override;
};

}  // namespace tenon
