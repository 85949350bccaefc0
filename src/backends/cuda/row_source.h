#pragma once
#include "backends/cuda/offset_source.h"

namespace tenon::cuda {

/// An operand seen as rows of elements.
struct RowDims {
  StridedDims rows, elems;
};

/// How a block of kernels/rows.cuh shares rows out among its threads.
struct RowShares {
  int lanes = 1, parts = 32;
  bool rows_are_neighbours = false;
  int threads() const { return lanes * parts; }
};
/// For operand x with elements of `size` bytes; `rows` counts the splits of rows too.
RowShares ShareRows(const RowDims& x, int64_t size, int64_t rows, int64_t elems);

/// The constants that kernels/rows.cuh takes, and functions InRow, InElem of x.
std::string RowConstants(const RowDims& x, int64_t rows, int64_t elems, const RowShares& shares);

/// "DEVICE T NAME(const char* p)" and "DEVICE void NAME(char* p, T v)" for elements of a type that TypeSuffix knows.
std::string LoadFunction(std::string_view name, DType dtype);
std::string StoreFunction(std::string_view name, DType dtype);

/// Why x and y can't be computed on as rows of floats; empty when they can.
std::string WhyNoFloatRows(const StepProblem& problem);

}  // namespace tenon::cuda
