#pragma once
#include <cstdint>

#include "ir/tensor.h"

namespace tenon::cli {

/// A tensor for an input: uniform in [0, 1) for floats, as images are; 0 or 1 for the rest.
Tensor RandomTensor(const TensorInfo& info, uint32_t seed);

}  // namespace tenon::cli
