#pragma once
#include "backends/cpu/cpu_kernel.h"
#include "backends/cpu/winograd_transform.h"

namespace tenon {

/// 3x3 convolutions with constant weights by a form of Winograd's (backends/cpu/winograd_conv.h). Rounds otherwise than
/// the direct convolution, so it doesn't compete with it by time: TakesOver decides.
class WinogradConvFamily final : public CpuKernelFamily {
 public:
  explicit WinogradConvFamily(cpu::WinogradForm form) : form_(form) {}
  /// "conv_winograd_f2", "conv_winograd_f4", "conv_winograd_f4_words", "conv_winograd_f4_stride2"
  std::string_view name() const override;
  std::string Supports(const StepProblem& step, const CpuDevice& device) const override;
  bool has_own_rounding() const override { return true; }
  double work_share() const override { return cpu::WinogradWorkShare(form_); }
  bool TakesOver(const StepProblem& step, const CpuDevice& device) const override;
  std::vector<std::string> Candidates(const StepProblem& step, const CpuDevice& device) const override;
  bool PacksInput(const StepProblem& step, size_t input) const override;
  std::vector<std::byte> Pack(const StepProblem& step, const std::string& tactic,
                              const CpuDevice& device) const override;
  Tensor Unpack(const StepProblem& step, const std::string& tactic, const CpuDevice& device,
                std::span<const std::byte> packed, size_t input) const override;
  AlignedBuffer Expand(const StepProblem& step, const CpuDevice& device,
                       std::span<const std::byte> packed) const override;
  std::unique_ptr<Kernel> Create(const StepProblem& step, const std::string& tactic,
                                 const CpuDevice& device) const override;

 private:
  cpu::WinogradForm form_;
};

}  // namespace tenon
