#include "backends/cpu/conv_lowering.h"

#include "backends/set_geometry.h"
#include "base/error.h"
#include "ops/conv.h"

namespace tenon::cpu {
namespace {

/// Conv and ConvTranspose: the same attributes and operands.
template <class Window>
std::string LowerWindow(const StepProblem& step, const Window& op, ConvProblem& problem) {
  WindowGeometry g;
  if (std::string why_not = LowerConvWindow(step, g); !why_not.empty()) return why_not;
  const KernelOperand &x = OperandAt(step, kInputOperand), &y = step.outputs.at(0);
  problem = {.groups = static_cast<int>(op.groups), .input = ViewOf(x), .output = ViewOf(y)};
  SetGeometry(g, problem);
  const KernelOperand& residual = OperandAt(step, kResidualOperand);
  if (residual.present && residual.shape != y.shape) return "a residual of another shape";
  if (residual.present) problem.epilogue.residual = ViewOf(residual);
  return LowerEpilogue(step, op.epilogue, problem);
}

}  // namespace

View ViewOf(const KernelOperand& operand) {
  const auto& s = operand.strides_bytes;
  View view{.dtype = operand.dtype, .n_stride = s[0], .w_stride = s.back(), .c_stride = s[1]};
  if (s.size() == 4) view.h_stride = s[2];
  return view;
}

std::string LowerEpilogue(const StepProblem& step, const Epilogue& op, ConvProblem& problem) {
  problem.compute = op.compute;
  problem.quantization = op.quantization;
  problem.epilogue.activation = {op.activation, op.alpha, op.beta};
  problem.epilogue.post_activation = {op.post, 0, 0};
  const KernelOperand& bias = OperandAt(step, kBiasOperand);
  if (bias.present && !bias.is_constant) return "the bias is not constant";
  if (op.is_int8() && !OperandAt(step, kWeightScaleOperand).is_constant) return "the weights' scales are not constant";
  problem.epilogue.has_factors = OperandAt(step, kFactorOperand).present;
  if (problem.epilogue.has_factors && !OperandAt(step, kFactorOperand).is_constant)
    return "the factors are not constant";
  if (OperandAt(step, kResidualOperand).present && OperandAt(step, kResidualOperand).is_constant)
    return "the residual is constant";
  return "";
}

std::string LowerConv(const StepProblem& step, ConvProblem& problem) {
  const auto* op = dynamic_cast<const Conv*>(step.op);
  if (op == nullptr) return "not a Conv";
  std::string why_not = LowerWindow(step, *op, problem);
  if (!why_not.empty() || op->upsample == 1) return why_not;
  if (step.outputs.size() != 2 || !step.outputs[0].present || !step.outputs[1].present)
    return "an output that is left out";
  problem.epilogue.extra_stores = {{.view = ViewOf(step.outputs[1]), .scale = static_cast<int>(op->upsample)}};
  return {};
}

ConvProblem LoweredConv(const StepProblem& step) {
  ConvProblem problem;
  const std::string why_not = LowerConv(step, problem);
  TENON_CHECK(why_not.empty(), "{}", why_not);
  return problem;
}

ConvOperands::ConvOperands(const StepProblem& step)
    : has_residual_(OperandAt(step, kResidualOperand).present), has_upsampled_(step.outputs.size() > 1) {}

ConvArgs ConvOperands::Of(const KernelArgs& args) const {
  ConvArgs conv{.input = args.inputs[kInputOperand],
                .packed = args.packed,
                .residual = has_residual_ ? args.inputs[kResidualOperand] : nullptr,
                .outputs = {args.outputs[0]}};
  if (has_upsampled_) conv.outputs[1] = args.outputs[1];
  return conv;
}

std::string LowerConvTranspose(const StepProblem& step, ConvProblem& problem) {
  const auto* op = dynamic_cast<const ConvTranspose*>(step.op);
  return op == nullptr ? "not a ConvTranspose" : LowerWindow(step, *op, problem);
}

}  // namespace tenon::cpu
