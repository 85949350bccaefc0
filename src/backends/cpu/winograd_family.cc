#include "backends/cpu/winograd_family.h"

#include "backends/cpu/conv_lowering.h"
#include "backends/cpu/winograd_choice.h"
#include "base/error.h"

namespace tenon {
namespace {

using namespace cpu;

class WinogradKernel final : public Kernel {
 public:
  WinogradKernel(const StepProblem& step, WinogradConv conv) : conv_(std::move(conv)), operands_(step) {}

  int64_t work_items() const override { return conv_.work_items(); }
  size_t scratch_bytes() const override { return conv_.scratch_bytes(); }
  size_t packed_bytes() const override { return conv_.packed_bytes(); }
  void Run(const KernelArgs& args, int64_t item, std::byte* scratch) const override {
    conv_.Run(operands_.Of(args), item, scratch);
  }

 private:
  WinogradConv conv_;
  ConvOperands operands_;
};

}  // namespace

std::string_view WinogradConvFamily::name() const {
  switch (form_) {
    case WinogradForm::kF2:
      return "conv_winograd_f2";
    case WinogradForm::kF4:
      return "conv_winograd_f4";
    case WinogradForm::kF4Words:
      return "conv_winograd_f4_words";
    case WinogradForm::kF4Stride2:
      break;
  }
  return "conv_winograd_f4_stride2";
}

std::string WinogradConvFamily::Supports(const StepProblem& step, const CpuDevice& device) const {
  ConvProblem problem;
  std::string why_not = LowerConv(step, problem);
  return why_not.empty() ? WhyNotWinograd(problem, form_, device.features) : why_not;
}

bool WinogradConvFamily::TakesOver(const StepProblem& step, const CpuDevice& device) const {
  return PrefersWinograd(LoweredConv(step), form_, device.features, ConstantFloats(step, kWeightsOperand));
}

std::vector<std::string> WinogradConvFamily::Candidates(const StepProblem& step, const CpuDevice& device) const {
  std::vector<std::string> texts;
  for (const WinogradTactic& tactic : WinogradCandidates(LoweredConv(step), form_, device.features, device.threads))
    texts.push_back(tactic.ToString());
  return texts;
}

bool WinogradConvFamily::PacksInput(const StepProblem& step, size_t input) const {
  return (input == kWeightsOperand || input == kBiasOperand) && OperandAt(step, input).is_constant;
}

std::vector<std::byte> WinogradConvFamily::Pack(const StepProblem& step, const std::string&,
                                                const CpuDevice& device) const {
  return PackWinograd(LoweredConv(step), device.features, ConstantFloats(step, kWeightsOperand),
                      ConstantFloats(step, kBiasOperand), ConstantFloats(step, kWeightScaleOperand));
}

Tensor WinogradConvFamily::Unpack(const StepProblem& step, const std::string&, const CpuDevice& device,
                                  std::span<const std::byte> packed, size_t input) const {
  const auto unpack = input == kWeightsOperand ? UnpackWinogradWeights : UnpackWinogradBias;
  return FloatsAsOperand(step, input, unpack(LoweredConv(step), device.features, packed));
}

AlignedBuffer WinogradConvFamily::Expand(const StepProblem& step, const CpuDevice& device,
                                         std::span<const std::byte> packed) const {
  return ExpandWinograd(LoweredConv(step), form_, device.features, packed);
}

std::unique_ptr<Kernel> WinogradConvFamily::Create(const StepProblem& step, const std::string& tactic,
                                                   const CpuDevice& device) const {
  return std::make_unique<WinogradKernel>(
      step, WinogradConv(LoweredConv(step), form_, WinogradTactic::Parse(tactic), device.features));
}

}  // namespace tenon
