#pragma once
#include "backends/cuda/cuda_kernel.h"

namespace tenon::cuda {

/// MatMul with one constant matrix B: its rows are the pixels of a 1x1 convolution, with the kernels of ConvFamily.
class MatMulFamily final : public CudaKernelFamily {
 public:
  std::string_view name() const override { return "matmul"; }
  std::string Supports(const StepProblem& problem, const CudaDevice& device) const override;
  std::vector<std::string> Candidates(const StepProblem& problem, const CudaDevice& device) const override;
  bool PacksInput(const StepProblem& problem, size_t input) const override;
  std::vector<std::byte> Pack(const StepProblem& problem, const std::string& tactic,
                              const CudaDevice& device) const override;
  using CudaKernelFamily::PackedBytes;
  size_t PackedBytes(const StepProblem& problem, const std::string& tactic, const CudaDevice& device) const override;
  Tensor Unpack(const StepProblem& problem, const std::string& tactic, const CudaDevice& device,
                std::span<const std::byte> packed, size_t input) const override;
  std::vector<KernelLaunch> Lower(const StepProblem& problem, const std::string& tactic,
                                  const CudaDevice& device) const override;
};

/// MatMul of any operands and strides, both made at run time or not, in FP32 multiply-adds of operands rounded to the
/// compute type.
class BatchedMatMulFamily final : public CudaKernelFamily {
 public:
  std::string_view name() const override { return "matmul_batched"; }
  std::string Supports(const StepProblem& problem, const CudaDevice& device) const override;
  std::vector<std::string> Candidates(const StepProblem&, const CudaDevice&) const override { return {""}; }
  std::vector<KernelLaunch> Lower(const StepProblem& problem, const std::string& tactic,
                                  const CudaDevice& device) const override;
};

}  // namespace tenon::cuda
