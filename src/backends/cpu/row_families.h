#pragma once
#include "backends/cpu/cpu_kernel.h"

namespace tenon {

// Families that compute on one row at a time, gathered into a dense FP32 array: f32 and bf16, any strides.

/// Softmax and LogSoftmax along an axis of any length.
class SoftmaxFamily final : public CpuKernelFamily {
 public:
  std::string_view name() const override { return "softmax"; }
  std::string Supports(const StepProblem& problem, const CpuDevice& device) const override;
  std::vector<std::string> Candidates(const StepProblem& problem, const CpuDevice& device) const override;
  std::unique_ptr<Kernel> Create(const StepProblem& problem, const std::string& tactic,
                                 const CpuDevice& device) const override;
};

/// LayerNorm whose scale and bias are the same for all rows; mean and deviation as outputs are not offered.
class LayerNormFamily final : public CpuKernelFamily {
 public:
  std::string_view name() const override { return "layer_norm"; }
  std::string Supports(const StepProblem& problem, const CpuDevice& device) const override;
  std::vector<std::string> Candidates(const StepProblem& problem, const CpuDevice& device) const override;
  std::unique_ptr<Kernel> Create(const StepProblem& problem, const std::string& tactic,
                                 const CpuDevice& device) const override;
};

}  // namespace tenon
