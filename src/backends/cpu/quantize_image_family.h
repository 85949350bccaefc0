#pragma once
#include "backends/cpu/cpu_kernel.h"

namespace tenon {

/// QuantizeLinear of a planar FP32 image of 1 to 4 channels to channels-last u8 pixels without gaps: the first step of
/// an INT8 engine, at the speed of memory. AVX-512; `region` has the rest. Exact: the same division and rounding.
class QuantizeImageFamily final : public CpuKernelFamily {
 public:
  std::string_view name() const override { return "quantize_image"; }
  std::string Supports(const StepProblem& problem, const CpuDevice& device) const override;
  std::vector<std::string> Candidates(const StepProblem& problem, const CpuDevice& device) const override;
  std::unique_ptr<Kernel> Create(const StepProblem& problem, const std::string& tactic,
                                 const CpuDevice& device) const override;
};

}  // namespace tenon
