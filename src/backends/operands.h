#pragma once
#include <string>
#include <vector>

#include "backends/kernel.h"

namespace tenon {

/// Operands of Conv, ConvTranspose and MatMul, in this order.
enum ConvOperand : size_t {
  kInputOperand = 0,
  kWeightsOperand = 1,
  kBiasOperand = 2,
  kResidualOperand = 3,
  kWeightScaleOperand = 4,
  kFactorOperand = 5,  ///< of Conv alone
};

/// Operand i, or an absent one.
const KernelOperand& OperandAt(const StepProblem& problem, size_t i);
/// Sizes that have to be positive and fit in 31 bits.
bool FitsInt(const Shape& shape);

/// A 1-D or 2-D window over an N x C (x H) x W input, seen as 2-D.
struct WindowGeometry {
  int n = 1, ic = 1, ih = 1, iw = 1, oc = 1, oh = 1, ow = 1, kh = 1, kw = 1;
  int stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1, pad_top = 0, pad_left = 0;
};

/// What a Conv or ConvTranspose (kernel sizes are those of its weights) slides over; the reason why not when it is none
/// of constant weights over one or two spatial axes, else empty.
std::string LowerConvWindow(const StepProblem& step, WindowGeometry& geometry);
/// The same for a Pool.
std::string LowerPoolWindow(const StepProblem& step, WindowGeometry& geometry);

/// Constant operand i as floats; empty when it is absent.
std::vector<float> ConstantFloats(const StepProblem& step, size_t i);
/// Floats that were constant operand i, as a tensor: s8 where the operand was s8, else f32.
Tensor FloatsAsOperand(const StepProblem& step, size_t i, const std::vector<float>& values);

}  // namespace tenon
