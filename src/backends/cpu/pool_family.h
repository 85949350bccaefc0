#pragma once
#include "backends/cpu/cpu_kernel.h"

namespace tenon {

/// MaxPool and AveragePool over 1 to 3 axes, channels-last, f32 and bf16 (sums in FP32, row by row of the window).
class PoolFamily final : public CpuKernelFamily {
 public:
  std::string_view name() const override { return "pool"; }
  std::string Supports(const StepProblem& problem, const CpuDevice& device) const override;
  std::vector<std::string> Candidates(const StepProblem& problem, const CpuDevice& device) const override;
  std::unique_ptr<Kernel> Create(const StepProblem& problem, const std::string& tactic,
                                 const CpuDevice& device) const override;
};

}  // namespace tenon
