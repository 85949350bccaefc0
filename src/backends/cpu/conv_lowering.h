#pragma once
#include <string>

#include "backends/cpu/conv_problem.h"
#include "backends/cpu/cpu_kernel.h"
#include "backends/operands.h"
#include "ops/epilogue.h"

namespace tenon::cpu {

/// The geometry of a 1-D or 2-D Conv over views; the reason why not when it has none, else empty.
std::string LowerConv(const StepProblem& step, ConvProblem& problem);

/// LowerConv of a step that has a geometry.
ConvProblem LoweredConv(const StepProblem& step);

/// Which of a convolution's operands are there, and their addresses in a run.
class ConvOperands {
 public:
  explicit ConvOperands(const StepProblem& step);
  ConvArgs Of(const KernelArgs& args) const;

 private:
  bool has_residual_, has_upsampled_;
};

/// LowerConv for a ConvTranspose, whose strides, dilations and pads are as TransposedProblem reads them.
std::string LowerConvTranspose(const StepProblem& step, ConvProblem& problem);

/// An N x C x W or N x C x H x W operand as a view.
View ViewOf(const KernelOperand& operand);
/// Activations and residual type; empty when the generators can do them.
std::string LowerEpilogue(const StepProblem& step, const Epilogue& op, ConvProblem& problem);

}  // namespace tenon::cpu
