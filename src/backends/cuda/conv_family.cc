#include "backends/cuda/conv_family.h"

#include "backends/cuda/conv_layout.h"
#include "backends/cuda/conv_source.h"
#include "backends/cuda/epilogue_lowering.h"
#include "backends/set_geometry.h"
#include "base/error.h"
#include "ops/conv.h"

namespace tenon::cuda {
namespace {

/// The problem of a supported step, as kernels take it.
ConvProblem Lowered(const StepProblem& step, const CudaDevice& device) {
  ConvProblem problem;
  const std::string why_not = LowerConv(step, device.limits.capability, problem);
  TENON_CHECK(why_not.empty(), "{}", why_not);
  return Flatten(problem);
}

}  // namespace

std::string LowerConv(const StepProblem& step, int capability, ConvProblem& problem) {
  const auto* op = dynamic_cast<const Conv*>(step.op);
  if (op == nullptr) return "not a Conv";
  WindowGeometry g;
  if (std::string why_not = LowerConvWindow(step, g); !why_not.empty()) return why_not;
  problem = {.groups = static_cast<int>(op->groups), .input = ImageView(OperandAt(step, kInputOperand))};
  SetGeometry(g, problem);
  for (size_t i = 0; i < step.outputs.size(); ++i) {
    if (!step.outputs[i].present) return "an output that is left out";
    problem.targets.push_back({ImageView(step.outputs[i]), i == 0 ? 1 : static_cast<int>(op->upsample)});
  }
  if (std::string why_not = LowerEpilogue(step, op->epilogue, problem); !why_not.empty()) return why_not;
  const KernelOperand& residual = OperandAt(step, kResidualOperand);
  if (residual.present) problem.residual = ImageView(residual);
  return WhyUnsupported(problem, capability);
}

std::string ConvFamily::Supports(const StepProblem& step, const CudaDevice& device) const {
  ConvProblem problem;
  const std::string why_not = LowerConv(step, device.limits.capability, problem);
  if (!why_not.empty()) return why_not;
  return ConvCandidates(Flatten(problem), device.limits).empty() ? "no tile fits this GPU" : "";
}

std::vector<std::string> ConvFamily::Candidates(const StepProblem& step, const CudaDevice& device) const {
  std::vector<std::string> texts;
  for (const ConvTactic& tactic : ConvCandidates(Lowered(step, device), device.limits))
    texts.push_back(tactic.ToString());
  return texts;
}

bool ConvFamily::PacksInput(const StepProblem& step, size_t input) const {
  return (input == kWeightsOperand || input == kBiasOperand) && OperandAt(step, input).is_constant;
}

std::vector<std::byte> ConvFamily::Pack(const StepProblem& step, const std::string& tactic,
                                        const CudaDevice& device) const {
  const std::vector<float> weights = ConstantFloats(step, kWeightsOperand), bias = ConstantFloats(step, kBiasOperand),
                           scales = ConstantFloats(step, kWeightScaleOperand);
  return PackConv(Lowered(step, device), ConvTactic::Parse(tactic), {weights, bias, scales});
}

size_t ConvFamily::PackedBytes(const StepProblem& step, const std::string& tactic, const CudaDevice& device) const {
  return static_cast<size_t>(ConvLayout::Of(Lowered(step, device), ConvTactic::Parse(tactic).kernel).total_bytes);
}

Tensor ConvFamily::Unpack(const StepProblem& step, const std::string& tactic, const CudaDevice& device,
                          std::span<const std::byte> packed, size_t input) const {
  const ConvProblem problem = Lowered(step, device);
  const ConvTactic parsed = ConvTactic::Parse(tactic);
  return FloatsAsOperand(
      step, input,
      input == kWeightsOperand ? UnpackConvWeights(problem, parsed, packed) : UnpackConvBias(problem, parsed, packed));
}

KernelLaunch LaunchConv(const ConvProblem& problem, const ConvTactic& tactic, const DeviceLimits& limits) {
  if (const std::string why_not = WhyUnfit(problem, tactic, limits); !why_not.empty())
    ThrowInvalid({.what = "a tactic that doesn't fit its convolution", .where = tactic.ToString(), .got = why_not});
  const LaunchShape shape = LaunchShapeOf(problem, tactic);
  KernelLaunch launch{.source = MakeConvSource(problem, tactic),
                      .grid_x = static_cast<unsigned>(shape.grid_x),
                      .grid_y = static_cast<unsigned>(shape.grid_y),
                      .threads = static_cast<unsigned>(shape.threads),
                      .shared_bytes = shape.shared_bytes};
  // ConvArgs of kernels/conv_epilogue.cuh.
  launch.pointers = {KernelPointer::Input(kInputOperand), KernelPointer::Packed(),
                     problem.residual ? KernelPointer::Input(kResidualOperand) : KernelPointer{}};
  for (size_t i = 0; i < kMaxStoreTargets; ++i)
    launch.pointers.push_back(i < problem.targets.size() ? KernelPointer::Output(i) : KernelPointer{});
  return launch;
}

std::vector<KernelLaunch> ConvFamily::Lower(const StepProblem& step, const std::string& tactic,
                                            const CudaDevice& device) const {
  return {LaunchConv(Lowered(step, device), ConvTactic::Parse(tactic), device.limits)};
}

}  // namespace tenon::cuda
