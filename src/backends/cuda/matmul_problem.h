#pragma once
#include "backends/kernel.h"

namespace tenon::cuda {

/// C = A B for every matrix of a batch, with byte strides; broadcast dimensions have stride 0. What a vector lacks
/// (numpy's rule) is a dimension of one.
struct MatMulDims {
  int64_t m = 1, n = 1, k = 1;
  Shape batch;
  struct Matrices {
    std::vector<int64_t> batch;  ///< one per batch dimension
    int64_t row = 0, column = 0;
  };
  Matrices a, b, c, residual;
};

/// Why the step is no MatMul of these operands; empty when it is one.
std::string LowerMatMulDims(const StepProblem& step, MatMulDims& dims);

/// The matrices of an operand of rank 2 or more, broadcast to `batch`; the reason why not when they don't fit.
std::string MatricesOf(const KernelOperand& operand, const Shape& batch, int64_t rows, int64_t columns,
                       MatMulDims::Matrices& matrices);

}  // namespace tenon::cuda
