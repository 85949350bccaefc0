#pragma once
#include "backends/cpu/cpu_kernel.h"

namespace tenon {

/// Any op with static output shapes, by its reference evaluation on one thread: slow, always right. What no other
/// family takes runs here, and the plan says so.
class ReferenceFamily final : public CpuKernelFamily {
 public:
  std::string_view name() const override { return "reference"; }
  bool is_reference() const override { return true; }
  std::string Supports(const StepProblem& problem, const CpuDevice& device) const override;
  std::vector<std::string> Candidates(const StepProblem& problem, const CpuDevice& device) const override;
  std::unique_ptr<Kernel> Create(const StepProblem& problem, const std::string& tactic,
                                 const CpuDevice& device) const override;
};

}  // namespace tenon
