#include "backends/operands.h"

#include <algorithm>

#include "base/error.h"
#include "ops/conv.h"
#include "ops/pool.h"

namespace tenon {
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

/// Conv, ConvTranspose and Pool: the same attributes.
template <class Window>
std::string LowerWindow(const StepProblem& step, const Window& op, const Shape& kernel, WindowGeometry& geometry) {
  const KernelOperand &x = OperandAt(step, kInputOperand), &y = step.outputs.at(0);
  if (x.shape.size() != 3 && x.shape.size() != 4) return "not 1-D or 2-D";
  const size_t rank = x.shape.size() - 2;
  if (kernel.size() != x.shape.size() || y.shape.size() != x.shape.size() || y.shape[0] != x.shape[0])
    return "operands that don't fit";
  if (x.is_constant) return "the input is constant";
  if (!FitsInt(x.shape) || !FitsInt(y.shape) || !FitsInt(kernel)) return "an empty or very large operand";
  if (!IsSmall(op.strides) || !IsSmall(op.dilations) || !IsSmall(op.pads)) return "an attribute out of range";
  geometry = {.n = static_cast<int>(x.shape[0]),
              .ic = static_cast<int>(x.shape[1]),
              .ih = HeightOf(x.shape),
              .iw = WidthOf(x.shape),
              .oc = static_cast<int>(y.shape[1]),
              .oh = HeightOf(y.shape),
              .ow = WidthOf(y.shape),
              .kh = HeightOf(kernel),
              .kw = WidthOf(kernel),
              .stride_h = At2D(op.strides, rank, 0, 1),
              .stride_w = At2D(op.strides, rank, 1, 1),
              .dilation_h = At2D(op.dilations, rank, 0, 1),
              .dilation_w = At2D(op.dilations, rank, 1, 1),
              .pad_top = At2D(op.pads, rank, 0, 0),
              .pad_left = At2D(op.pads, rank, 1, 0)};
  return {};
}

}  // namespace

const KernelOperand& OperandAt(const StepProblem& problem, size_t i) {
  static const KernelOperand absent;
  return i < problem.inputs.size() ? problem.inputs[i] : absent;
}

bool FitsInt(const Shape& shape) {
  return std::all_of(shape.begin(), shape.end(), [](int64_t d) { return d >= 1 && d <= INT32_MAX / 4; });
}

std::string LowerConvWindow(const StepProblem& step, WindowGeometry& geometry) {
  const KernelOperand& weights = OperandAt(step, kWeightsOperand);
  if (!weights.is_constant) return "the weights are not constant";
  if (const auto* conv = dynamic_cast<const Conv*>(step.op)) return LowerWindow(step, *conv, weights.shape, geometry);
  const auto* transposed = dynamic_cast<const ConvTranspose*>(step.op);
  TENON_CHECK(transposed, "{} has no window", step.op->name());
  return LowerWindow(step, *transposed, weights.shape, geometry);
}

std::string LowerPoolWindow(const StepProblem& step, WindowGeometry& geometry) {
  const auto& pool = dynamic_cast<const Pool&>(*step.op);
  Shape kernel = {1, 1};
  kernel.insert(kernel.end(), pool.kernel.begin(), pool.kernel.end());
  return LowerWindow(step, pool, kernel, geometry);
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

}  // namespace tenon
