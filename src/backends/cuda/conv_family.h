#pragma once
#include "backends/cuda/conv_problem.h"
#include "backends/cuda/cuda_kernel.h"

namespace tenon::cuda {

/// Why the step is no convolution that the kernels can compute; empty when it is one, with `problem` set.
std::string LowerConv(const StepProblem& step, int capability, ConvProblem& problem);

/// The launch of a flattened problem: input, packed constants, residual, targets as a step's operands. Throws
/// Error(kInvalidInput) when the tactic doesn't fit.
KernelLaunch LaunchConv(const ConvProblem& problem, const ConvTactic& tactic, const DeviceLimits& limits);

/// Convolutions with their whole epilogue.
class ConvFamily final : public CudaKernelFamily {
 public:
  std::string_view name() const override { return "conv"; }
  int version() const override { return 2; }
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
