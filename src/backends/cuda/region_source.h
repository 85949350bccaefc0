#pragma once
#include <string>

#include "backends/cuda/cuda_kernel.h"
#include "backends/region/region_program.h"

namespace tenon::cuda {

/// A nest as CUDA C++: how its points are shared out among threads, and the code of one thread.
struct NestSource {
  int64_t threads = 1;  ///< that compute something
  std::string text;     ///< body of a function of `args` and `point` (0 to threads - 1)
};

/// `operands`: the region's inputs, then the plan's constants; an access of operand i is to args.p[i], of output j to
/// args.p[operands + j].
NestSource MakeNestSource(const region::Nest& nest, const std::vector<KernelOperand>& operands,
                          const std::vector<KernelOperand>& outputs);

}  // namespace tenon::cuda
