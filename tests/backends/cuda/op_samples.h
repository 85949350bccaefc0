#pragma once
// One or several problems for every CUDA family beside convolutions and regions: small, with tails, odd strides and
// each element type somewhere.
#include <memory>
#include <string>
#include <vector>

#include "backends/kernel.h"

namespace tenon::cuda {

struct OpSample {
  std::string name, family;
  std::shared_ptr<Op> op;
  StepProblem step;            ///< of `op`
  std::vector<Tensor> inputs;  ///< values of all operands; null: absent
};

std::vector<OpSample> OpSamples();

}  // namespace tenon::cuda
