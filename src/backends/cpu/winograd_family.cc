#include "backends/cpu/winograd_family.h"

#include "backends/cpu/conv_lowering.h"
#include "backends/cpu/winograd_choice.h"
#include "base/error.h"

namespace tenon {
namespace {

using namespace cpu;

class WinogradKernel final : public Kernel {
 public:
  WinogradKernel(const StepProblem& step, WinogradConv conv)
      : conv_(std::move(conv)),
        has_residual_(OperandAt(step, kResidualOperand).present),
        has_upsampled_(step.outputs.size() > 1) {}

  int64_t work_items() const override { return conv_.work_items(); }
  size_t scratch_bytes() const override { return conv_.scratch_bytes(); }
  size_t packed_bytes() const override { return conv_.packed_bytes(); }
  void Run(const KernelArgs& args, int64_t item, std::byte* scratch) const override {
    ConvArgs conv{.input = args.inputs[kInputOperand],
                  .packed = args.packed,
                  .residual = has_residual_ ? args.inputs[kResidualOperand] : nullptr,
                  .outputs = {args.outputs[0]}};
    if (has_upsampled_) conv.outputs[1] = args.outputs[1];
    conv_.Run(conv, item, scratch);
  }

 private:
  WinogradConv conv_;
  bool has_residual_, has_upsampled_;
};

ConvProblem Lowered(const StepProblem& step) {
  ConvProblem problem;
  const std::string why_not = LowerConv(step, problem);
  TENON_CHECK(why_not.empty(), "{}", why_not);
  return problem;
}

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
  return PrefersWinograd(Lowered(step), form_, device.features, ConstantFloats(step, kWeightsOperand));
}

std::vector<std::string> WinogradConvFamily::Candidates(const StepProblem& step, const CpuDevice& device) const {
  std::vector<std::string> texts;
  for (const WinogradTactic& tactic : WinogradCandidates(Lowered(step), form_, device.features, device.threads))
    texts.push_back(tactic.ToString());
  return texts;
}

bool WinogradConvFamily::PacksInput(const StepProblem& step, size_t input) const {
  return (input == kWeightsOperand || input == kBiasOperand) && OperandAt(step, input).is_constant;
}

std::vector<std::byte> WinogradConvFamily::Pack(const StepProblem& step, const std::string&,
                                                const CpuDevice& device) const {
  return PackWinograd(Lowered(step), device.features, ConstantFloats(step, kWeightsOperand),
                      ConstantFloats(step, kBiasOperand), ConstantFloats(step, kWeightScaleOperand));
}

Tensor WinogradConvFamily::Unpack(const StepProblem& step, const std::string&, const CpuDevice& device,
                                  std::span<const std::byte> packed, size_t input) const {
  const auto unpack = input == kWeightsOperand ? UnpackWinogradWeights : UnpackWinogradBias;
  return FloatsAsOperand(step, input, unpack(Lowered(step), device.features, packed));
}

AlignedBuffer WinogradConvFamily::Expand(const StepProblem& step, const CpuDevice& device,
                                         std::span<const std::byte> packed) const {
  return ExpandWinograd(Lowered(step), form_, device.features, packed);
}

std::unique_ptr<Kernel> WinogradConvFamily::Create(const StepProblem& step, const std::string& tactic,
                                                   const CpuDevice& device) const {
  return std::make_unique<WinogradKernel>(
      step, WinogradConv(Lowered(step), form_, WinogradTactic::Parse(tactic), device.features));
}

}  // namespace tenon
