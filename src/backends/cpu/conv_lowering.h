#pragma once
#include <string>

#include "backends/cpu/conv_problem.h"
#include "backends/kernel.h"
#include "ops/epilogue.h"

namespace tenon::cpu {

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

/// The geometry of a 1-D or 2-D Conv over views; the reason why not when it has none, else empty.
std::string LowerConv(const StepProblem& step, ConvProblem& problem);

/// The same for a ConvTranspose, whose strides, dilations and pads are as TransposedProblem reads them.
std::string LowerConvTranspose(const StepProblem& step, ConvProblem& problem);

/// An N x C x W or N x C x H x W operand as a view.
View ViewOf(const KernelOperand& operand);
/// Activations and residual type; empty when the generators can do them.
std::string LowerEpilogue(const StepProblem& step, const Epilogue& op, ConvProblem& problem);
/// Sizes that have to be positive and fit in 31 bits.
bool FitsInt(const Shape& shape);

/// Constant operand i as floats; empty when it is absent.
std::vector<float> ConstantFloats(const StepProblem& step, size_t i);
/// Floats that were constant operand i, as a tensor: s8 where the operand was s8, else f32.
Tensor FloatsAsOperand(const StepProblem& step, size_t i, const std::vector<float>& values);

}  // namespace tenon::cpu
