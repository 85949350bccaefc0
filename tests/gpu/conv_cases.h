#pragma once
#include <string>
#include <vector>

#include "backends/cuda/conv_problem.h"

namespace tenon::cuda {

struct ConvCase {
  std::string name;
  ConvProblem problem;
};

/// A channels-last convolution padded by half its kernel, its operands with `extra` more channels a pixel than it uses.
struct CaseShape {
  int n = 1, ic = 32, oc = 32, h = 20, w = 20, kh = 3, kw = 3, stride = 1, dilation = 1, groups = 1, extra = 0;
};
ConvProblem MakeProblem(const CaseShape& shape, DType compute, DType out);

/// Every kind of shape, view, element type and epilogue that the convolution kernels take.
std::vector<ConvCase> ConvCases();

}  // namespace tenon::cuda
