#pragma once
#include "backends/cpu/cpu_kernel.h"

namespace tenon {

/// Resize over 1 to 3 spatial axes, channels-last: nearest for every type; linear and cubic, antialiased or not, for
/// f32 and bf16 (sums in FP32). Index and weight tables are made once per axis. The tactic holds the axes' scales,
/// because the operand with them is not there at load.
class ResizeFamily final : public CpuKernelFamily {
 public:
  std::string_view name() const override { return "resize"; }
  std::string Supports(const StepProblem& problem, const CpuDevice& device) const override;
  std::vector<std::string> Candidates(const StepProblem& problem, const CpuDevice& device) const override;
  std::unique_ptr<Kernel> Create(const StepProblem& problem, const std::string& tactic,
                                 const CpuDevice& device) const override;
};

}  // namespace tenon
