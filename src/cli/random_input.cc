#include "cli/random_input.h"

#include <random>

namespace tenon::cli {

Tensor RandomTensor(const TensorInfo& info, uint32_t seed) {
  Tensor values(DType::kFloat32, info.shape);
  std::mt19937 random(seed);
  for (int64_t i = 0; i < values.elems(); ++i) {
    const float unit = static_cast<float>(random() >> 8) / 16777216.0f;
    values.data<float>()[i] = IsFloat(info.dtype) ? unit : static_cast<float>(unit >= 0.5f);
  }
  return values.CastTo(info.dtype);
}

}  // namespace tenon::cli
