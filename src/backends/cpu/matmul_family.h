#pragma once
#include "backends/cpu/cpu_kernel.h"

namespace tenon {

/// MatMul (backends/cpu/batched_gemm.h): B constant or made at run time, any strides of A and B; rows or columns of the
/// output have to be dense.
class MatMulFamily final : public CpuKernelFamily {
 public:
  std::string_view name() const override { return "matmul"; }
  int version() const override { return 2; }  // SiLU in words
  std::string Supports(const StepProblem& step, const CpuDevice& device) const override;
  std::vector<std::string> Candidates(const StepProblem& step, const CpuDevice& device) const override;
  bool PacksInput(const StepProblem& step, size_t input) const override;
  std::vector<std::byte> Pack(const StepProblem& step, const std::string& tactic,
                              const CpuDevice& device) const override;
  Tensor Unpack(const StepProblem& step, const std::string& tactic, const CpuDevice& device,
                std::span<const std::byte> packed, size_t input) const override;
  std::unique_ptr<Kernel> Create(const StepProblem& step, const std::string& tactic,
                                 const CpuDevice& device) const override;
};

}  // namespace tenon
