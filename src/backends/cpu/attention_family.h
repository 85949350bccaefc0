#pragma once
#include "backends/cpu/cpu_kernel.h"

namespace tenon {

/// Attention without a mask (backends/cpu/attention.h).
class AttentionFamily final : public CpuKernelFamily {
 public:
  std::string_view name() const override { return "attention"; }
  std::string Supports(const StepProblem& step, const CpuDevice& device) const override;
  std::vector<std::string> Candidates(const StepProblem& step, const CpuDevice& device) const override;
  std::unique_ptr<Kernel> Create(const StepProblem& step, const std::string& tactic,
                                 const CpuDevice& device) const override;
};

}  // namespace tenon
