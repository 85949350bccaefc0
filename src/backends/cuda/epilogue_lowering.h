#pragma once
#include "backends/cuda/conv_problem.h"
#include "backends/kernel.h"
#include "ops/epilogue.h"

namespace tenon::cuda {

/// An N x C (x H) x W operand as kernels take it.
View ImageView(const KernelOperand& operand);

/// Takes the op's epilogue over into `problem`, but the residual's view. Returns why it can't be; empty when it can.
std::string LowerEpilogue(const StepProblem& step, const Epilogue& op, ConvProblem& problem);

}  // namespace tenon::cuda
