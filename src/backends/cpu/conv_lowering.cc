#include "backends/cpu/conv_lowering.h"

#include <algorithm>

#include "base/error.h"
#include "ops/conv.h"

namespace tenon::cpu {
namespace {

/// Entry `axis` of an attribute along the spatial axes, seen as 2-D: a missing height has the default.
int At2D(const std::vector<int64_t>& values, size_t rank, size_t axis, int64_t otherwise) {
  const size_t at = rank == 1 ? 0 : axis;
  if (at >= values.size() || (rank == 1 && axis == 0)) return static_cast<int>(otherwise);
  return static_cast<int>(values[at]);
}

bool IsSmall(const std::vector<int64_t>& values) {
  return std::all_of(values.begin(), values.end(), [](int64_t v) { return v >= 0 && v <= INT32_MAX / 4; });
}

/// Height and width of a shape whose height may be missing.
int HeightOf(const Shape& shape) { return shape.size() == 3 ? 1 : static_cast<int>(shape[2]); }
int WidthOf(const Shape& shape) { return static_cast<int>(shape.back()); }

/// Conv and ConvTranspose: the same attributes and operands.
template <class Window>
std::string LowerWindow(const StepProblem& step, const Window& op, ConvProblem& problem) {
  const KernelOperand &x = OperandAt(step, kInputOperand), &weights = OperandAt(step, kWeightsOperand);
  const KernelOperand& y = step.outputs.at(0);
  if (x.shape.size() != 3 && x.shape.size() != 4) return "not 1-D or 2-D";
  const size_t rank = x.shape.size() - 2;
  const bool fits =
      weights.shape.size() == x.shape.size() && y.shape.size() == x.shape.size() && y.shape[0] == x.shape[0];
  if (!fits) return "operands that don't fit";
  if (!weights.is_constant) return "the weights are not constant";
  if (x.is_constant) return "the input is constant";
  if (!FitsInt(x.shape) || !FitsInt(y.shape) || !FitsInt(weights.shape)) return "an empty or very large operand";
  if (!IsSmall(op.strides) || !IsSmall(op.dilations) || !IsSmall(op.pads)) return "an attribute out of range";
  problem = {.n = static_cast<int>(x.shape[0]),
             .ic = static_cast<int>(x.shape[1]),
             .ih = HeightOf(x.shape),
             .iw = WidthOf(x.shape),
             .oc = static_cast<int>(y.shape[1]),
             .oh = HeightOf(y.shape),
             .ow = WidthOf(y.shape),
             .kh = HeightOf(weights.shape),
             .kw = WidthOf(weights.shape),
             .stride_h = At2D(op.strides, rank, 0, 1),
             .stride_w = At2D(op.strides, rank, 1, 1),
             .dilation_h = At2D(op.dilations, rank, 0, 1),
             .dilation_w = At2D(op.dilations, rank, 1, 1),
             .pad_top = At2D(op.pads, rank, 0, 0),
             .pad_left = At2D(op.pads, rank, 1, 0),
             .groups = static_cast<int>(op.groups),
             .input = ViewOf(x),
             .output = ViewOf(y)};
  const KernelOperand& residual = OperandAt(step, kResidualOperand);
  if (residual.present && residual.shape != y.shape) return "a residual of another shape";
  if (residual.present) problem.epilogue.residual = ViewOf(residual);
  return LowerEpilogue(step, op.epilogue, problem);
}

}  // namespace

const KernelOperand& OperandAt(const StepProblem& problem, size_t i) {
  static const KernelOperand absent;
  return i < problem.inputs.size() ? problem.inputs[i] : absent;
}

View ViewOf(const KernelOperand& operand) {
  const auto& s = operand.strides_bytes;
  View view{.dtype = operand.dtype, .n_stride = s[0], .w_stride = s.back(), .c_stride = s[1]};
  if (s.size() == 4) view.h_stride = s[2];
  return view;
}

bool FitsInt(const Shape& shape) {
  return std::all_of(shape.begin(), shape.end(), [](int64_t d) { return d >= 1 && d <= INT32_MAX / 4; });
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

std::string LowerConvTranspose(const StepProblem& step, ConvProblem& problem) {
  const auto* op = dynamic_cast<const ConvTranspose*>(step.op);
  return op == nullptr ? "not a ConvTranspose" : LowerWindow(step, *op, problem);
}

std::vector<float> ConstantFloats(const StepProblem& step, size_t i) {
  const KernelOperand& operand = OperandAt(step, i);
  if (!operand.present) return {};
  TENON_CHECK(!operand.constant.is_null(), "constant operand {} is missing", i);
  const Tensor floats = operand.constant.CastTo(DType::kFloat32);
  return {floats.values<float>().begin(), floats.values<float>().end()};
}

Tensor FloatsAsOperand(const StepProblem& step, size_t i, const std::vector<float>& values) {
  const KernelOperand& operand = OperandAt(step, i);
  Tensor tensor = Tensor::Of<float>(operand.shape, values);
  return operand.dtype == DType::kInt8 ? tensor.CastTo(DType::kInt8) : tensor;
}

}  // namespace tenon::cpu
