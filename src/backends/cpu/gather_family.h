#pragma once
#include "backends/cpu/cpu_kernel.h"

namespace tenon {

/// Gather and GatherElements, every type and layout: only the elements that are asked for are read. Run throws
/// Error(kInvalidInput) for an index outside the axis.
class GatherFamily final : public CpuKernelFamily {
 public:
  std::string_view name() const override { return "gather"; }
  std::string Supports(const StepProblem& problem, const CpuDevice& device) const override;
  std::vector<std::string> Candidates(const StepProblem& problem, const CpuDevice& device) const override;
  std::unique_ptr<Kernel> Create(const StepProblem& problem, const std::string& tactic,
                                 const CpuDevice& device) const override;
};

}  // namespace tenon
