#pragma once
#include "backends/cpu/cpu_kernel.h"

namespace tenon {

/// Conv with constant weights by the direct convolution (backends/cpu/conv_direct.h).
class DirectConvFamily final : public CpuKernelFamily {
 public:
  std::string_view name() const override { return "conv_direct"; }
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

/// Conv with one channel a group (backends/cpu/depthwise_conv.h).
class DepthwiseConvFamily final : public CpuKernelFamily {
 public:
  std::string_view name() const override { return "conv_depthwise"; }
  int version() const override { return 4; }  // dots of u8
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

/// ConvTranspose with constant weights (backends/cpu/transposed_conv.h).
class TransposedConvFamily final : public CpuKernelFamily {
 public:
  std::string_view name() const override { return "conv_transposed"; }
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
