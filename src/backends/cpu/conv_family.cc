#include "backends/cpu/conv_family.h"

#include "backends/cpu/conv_direct.h"
#include "backends/cpu/conv_lowering.h"
#include "backends/cpu/cpu_device.h"
#include "backends/cpu/depthwise_conv.h"
#include "backends/cpu/transposed_conv.h"
#include "base/error.h"

namespace tenon {
namespace {

using namespace cpu;

/// A convolution as a step of a program.
template <class Implementation>
class ConvKernel final : public Kernel {
 public:
  template <class Problem>
  ConvKernel(const StepProblem& step, const Problem& problem, const std::string& tactic, const CpuDevice& device)
      : conv_(problem, ConvTactic::Parse(tactic), device.features), operands_(step) {}

  int64_t work_items() const override { return conv_.work_items(); }
  size_t packed_bytes() const override { return conv_.packed_bytes(); }
  void Run(const KernelArgs& args, int64_t item, std::byte*) const override { conv_.Run(operands_.Of(args), item); }

 private:
  Implementation conv_;
  ConvOperands operands_;
};

TransposedProblem LoweredTranspose(const StepProblem& step) {
  TransposedProblem problem;
  const std::string why_not = LowerConvTranspose(step, problem.geometry);
  TENON_CHECK(why_not.empty(), "{}", why_not);
  return problem;
}

std::string WhyNot(const StepProblem& step, const CpuDevice& device, ConvProblem& problem) {
  std::string why_not = LowerConv(step, problem);
  return why_not.empty() ? WhyUnsupported(problem, device.features) : why_not;
}

std::vector<std::string> Texts(const std::vector<ConvTactic>& tactics) {
  std::vector<std::string> texts;
  for (const ConvTactic& tactic : tactics) texts.push_back(tactic.ToString());
  return texts;
}

bool IsPackedConstant(const StepProblem& step, size_t input) {
  return (input == kWeightsOperand || input == kBiasOperand) && OperandAt(step, input).is_constant;
}

}  // namespace

// Where a depthwise kernel exists it is several times as fast: not a candidate worth timing.
std::string DirectConvFamily::Supports(const StepProblem& step, const CpuDevice& device) const {
  ConvProblem problem;
  const std::string why_not = WhyNot(step, device, problem);
  if (!why_not.empty()) return why_not;
  return WhyNotDepthwise(problem).empty() ? "one channel a group: conv_depthwise" : "";
}

std::vector<std::string> DirectConvFamily::Candidates(const StepProblem& step, const CpuDevice& device) const {
  return Texts(ConvCandidates(LoweredConv(step), device.features, device.threads));
}

bool DirectConvFamily::PacksInput(const StepProblem& step, size_t input) const { return IsPackedConstant(step, input); }

std::vector<std::byte> DirectConvFamily::Pack(const StepProblem& step, const std::string& tactic,
                                              const CpuDevice& device) const {
  return PackConv(LoweredConv(step), ConvTactic::Parse(tactic), device.features, ConstantFloats(step, kWeightsOperand),
                  ConstantFloats(step, kBiasOperand), ConstantFloats(step, kWeightScaleOperand),
                  ConstantFloats(step, kFactorOperand));
}

Tensor DirectConvFamily::Unpack(const StepProblem& step, const std::string& tactic, const CpuDevice& device,
                                std::span<const std::byte> packed, size_t input) const {
  const auto unpack = input == kWeightsOperand ? UnpackConvWeights : UnpackConvBias;
  return FloatsAsOperand(step, input, unpack(LoweredConv(step), ConvTactic::Parse(tactic), device.features, packed));
}

std::unique_ptr<Kernel> DirectConvFamily::Create(const StepProblem& step, const std::string& tactic,
                                                 const CpuDevice& device) const {
  return std::make_unique<ConvKernel<DirectConv>>(step, LoweredConv(step), tactic, device);
}

std::string DepthwiseConvFamily::Supports(const StepProblem& step, const CpuDevice& device) const {
  ConvProblem problem;
  const std::string why_not = WhyNot(step, device, problem);
  return why_not.empty() ? WhyNotDepthwise(problem) : why_not;
}

std::vector<std::string> DepthwiseConvFamily::Candidates(const StepProblem& step, const CpuDevice& device) const {
  return Texts(DepthwiseCandidates(LoweredConv(step), device.features, device.threads));
}

bool DepthwiseConvFamily::PacksInput(const StepProblem& step, size_t input) const {
  return IsPackedConstant(step, input);
}

std::vector<std::byte> DepthwiseConvFamily::Pack(const StepProblem& step, const std::string& tactic,
                                                 const CpuDevice& device) const {
  return PackDepthwise(LoweredConv(step), ConvTactic::Parse(tactic), device.features,
                       ConstantFloats(step, kWeightsOperand), ConstantFloats(step, kBiasOperand),
                       ConstantFloats(step, kWeightScaleOperand), ConstantFloats(step, kFactorOperand));
}

Tensor DepthwiseConvFamily::Unpack(const StepProblem& step, const std::string& tactic, const CpuDevice& device,
                                   std::span<const std::byte> packed, size_t input) const {
  const auto unpack = input == kWeightsOperand ? UnpackDepthwiseWeights : UnpackDepthwiseBias;
  return FloatsAsOperand(step, input, unpack(LoweredConv(step), ConvTactic::Parse(tactic), device.features, packed));
}

std::unique_ptr<Kernel> DepthwiseConvFamily::Create(const StepProblem& step, const std::string& tactic,
                                                    const CpuDevice& device) const {
  return std::make_unique<ConvKernel<DepthwiseConv>>(step, LoweredConv(step), tactic, device);
}

std::string TransposedConvFamily::Supports(const StepProblem& step, const CpuDevice& device) const {
  ConvProblem problem;
  const std::string why_not = LowerConvTranspose(step, problem);
  return why_not.empty() ? WhyUnsupported(problem, device.features) : why_not;
}

std::vector<std::string> TransposedConvFamily::Candidates(const StepProblem& step, const CpuDevice& device) const {
  return Texts(TransposedCandidates(LoweredTranspose(step), device.features, device.threads));
}

bool TransposedConvFamily::PacksInput(const StepProblem& step, size_t input) const {
  return IsPackedConstant(step, input);
}

std::vector<std::byte> TransposedConvFamily::Pack(const StepProblem& step, const std::string& tactic,
                                                  const CpuDevice& device) const {
  return PackTransposed(LoweredTranspose(step), ConvTactic::Parse(tactic), device.features,
                        ConstantFloats(step, kWeightsOperand), ConstantFloats(step, kBiasOperand));
}

Tensor TransposedConvFamily::Unpack(const StepProblem& step, const std::string& tactic, const CpuDevice& device,
                                    std::span<const std::byte> packed, size_t input) const {
  const auto unpack = input == kWeightsOperand ? UnpackTransposedWeights : UnpackTransposedBias;
  return FloatsAsOperand(step, input,
                         unpack(LoweredTranspose(step), ConvTactic::Parse(tactic), device.features, packed));
}

std::unique_ptr<Kernel> TransposedConvFamily::Create(const StepProblem& step, const std::string& tactic,
                                                     const CpuDevice& device) const {
  return std::make_unique<ConvKernel<TransposedConv>>(step, LoweredTranspose(step), tactic, device);
}

}  // namespace tenon
