#pragma once
#include "backends/cuda/cuda_kernel.h"

namespace tenon::cuda {

/// Transposed convolutions: every phase of the output's rows and columns is an ordinary convolution, a launch of its
/// own with the kernels of ConvFamily. A tactic is that of all phases.
class ConvTransposeFamily final : public CudaKernelFamily {
 public:
  std::string_view name() const override { return "conv_transpose"; }
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

}  // namespace tenon::cuda
