#include "backends/cuda/epilogue_lowering.h"

#include "backends/operands.h"

namespace tenon::cuda {

View ImageView(const KernelOperand& operand) {
  const auto& s = operand.strides_bytes;
  View view{.dtype = operand.dtype,
            .n_stride = s[0],
            .w_stride = s.back(),
            .c_stride = s[1],
            .base_alignment = static_cast<int>(operand.alignment_bytes)};
  if (s.size() == 4) view.h_stride = s[2];
  return view;
}

std::string LowerEpilogue(const StepProblem& step, const Epilogue& op, ConvProblem& problem) {
  problem.compute = op.compute;
  problem.quantization = op.quantization;
  problem.activation = {op.activation, op.alpha, op.beta};
  problem.post = op.post;
  const KernelOperand &bias = OperandAt(step, kBiasOperand), &residual = OperandAt(step, kResidualOperand);
  if (bias.present && !bias.is_constant) return "the bias is not constant";
  if (OperandAt(step, kFactorOperand).present) return "channels that are stored with scales of their own";
  if (op.is_int8() && !OperandAt(step, kWeightScaleOperand).is_constant) return "the weights' scales are not constant";
  if (residual.present && residual.is_constant) return "the residual is constant";
  if (residual.present && residual.shape != step.outputs[0].shape) return "a residual of another shape";
  return {};
}

}  // namespace tenon::cuda
