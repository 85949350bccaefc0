#pragma once
#include "backends/cpu/cpu_kernel.h"

namespace tenon {

/// Regions (a body of pointwise, index and small-reduction ops) and single pointwise ops, as generated loop nests;
/// programs with integer arithmetic are interpreted over blocks of lanes. Inputs and outputs may have any strides.
/// Outputs must not overlap inputs, except that an output may be an input's very elements when the body is pointwise.
class RegionFamily final : public CpuKernelFamily {
 public:
  std::string_view name() const override { return "region"; }
  std::string Supports(const StepProblem& problem, const CpuDevice& device) const override;
  std::vector<std::string> Candidates(const StepProblem& problem, const CpuDevice& device) const override;
  std::unique_ptr<Kernel> Create(const StepProblem& problem, const std::string& tactic,
                                 const CpuDevice& device) const override;
};

}  // namespace tenon
