#include "backends/cuda/matmul_problem.h"

#include "backends/operands.h"
#include "ops/matmul.h"

namespace tenon::cuda {
namespace {

/// An operand with at least two dimensions: numpy's rule for vectors gives A a row and B a column.
KernelOperand AsMatrix(const KernelOperand& operand, size_t at) {
  KernelOperand matrix = operand;
  if (operand.shape.size() != 1) return matrix;
  matrix.shape.insert(matrix.shape.begin() + static_cast<std::ptrdiff_t>(at), 1);
  matrix.strides_bytes.insert(matrix.strides_bytes.begin() + static_cast<std::ptrdiff_t>(at), 0);
  return matrix;
}

/// C and residual lack the dimensions that vectors were given.
KernelOperand AsResult(const KernelOperand& operand, const StepProblem& step) {
  KernelOperand result = operand;
  const auto insert = [&](size_t from_end) {
    result.shape.insert(result.shape.end() - static_cast<std::ptrdiff_t>(from_end), 1);
    result.strides_bytes.insert(result.strides_bytes.end() - static_cast<std::ptrdiff_t>(from_end), 0);
  };
  if (step.inputs[1].shape.size() == 1) insert(0);
  if (step.inputs[0].shape.size() == 1) insert(1);
  return result;
}

}  // namespace

std::string MatricesOf(const KernelOperand& operand, const Shape& batch, int64_t rows, int64_t columns,
                       MatMulDims::Matrices& matrices) {
  const size_t rank = operand.shape.size();
  const bool fits = rank >= 2 && rank - 2 <= batch.size() && operand.strides_bytes.size() == rank &&
                    operand.shape[rank - 2] == rows && operand.shape[rank - 1] == columns;
  if (!fits) return "operands that don't fit";
  matrices = {.row = operand.strides_bytes[rank - 2], .column = operand.strides_bytes[rank - 1]};
  const size_t missing = batch.size() - (rank - 2);
  for (size_t d = 0; d < batch.size(); ++d) {
    const bool is_broadcast = d < missing || operand.shape[d - missing] == 1;
    if (!is_broadcast && operand.shape[d - missing] != batch[d]) return "operands that don't fit";
    matrices.batch.push_back(is_broadcast ? 0 : operand.strides_bytes[d - missing]);
  }
  return {};
}

std::string LowerMatMulDims(const StepProblem& step, MatMulDims& dims) {
  if (!dynamic_cast<const MatMul*>(step.op)) return "not a MatMul";
  if (!step.outputs.at(0).present) return "an output that is left out";
  for (const size_t i : {0, 1}) {
    if (step.inputs[i].shape.empty()) return "a scalar operand";
  }
  const KernelOperand a = AsMatrix(step.inputs[0], 0), b = AsMatrix(step.inputs[1], 1),
                      c = AsResult(step.outputs[0], step);
  if (!FitsInt(a.shape) || !FitsInt(b.shape) || !FitsInt(c.shape)) return "an empty or very large operand";
  if (c.shape.size() < 2) return "operands that don't fit";
  dims = {.m = c.shape[c.shape.size() - 2], .n = c.shape.back(), .k = a.shape.back()};
  dims.batch = {c.shape.begin(), c.shape.end() - 2};
  const KernelOperand& residual = OperandAt(step, kResidualOperand);
  if (residual.present && residual.shape != step.outputs[0].shape) return "a residual of another shape";
  std::string why_not = MatricesOf(a, dims.batch, dims.m, dims.k, dims.a);
  if (why_not.empty()) why_not = MatricesOf(b, dims.batch, dims.k, dims.n, dims.b);
  if (why_not.empty()) why_not = MatricesOf(c, dims.batch, dims.m, dims.n, dims.c);
  if (why_not.empty() && residual.present)
    why_not = MatricesOf(AsResult(residual, step), dims.batch, dims.m, dims.n, dims.residual);
  return why_not;
}

}  // namespace tenon::cuda
