#pragma once
#include <string_view>

#include "ir/types.h"

namespace tenon {

/// No tensor may be larger: what a model or an engine asks for beyond it is a mistake or an attack.
inline constexpr int64_t kMaxTensorBytes = int64_t{1} << 31;
inline constexpr size_t kMaxRank = 64;

/// Throws Error(kInvalidInput) unless `shape` is within the limits, and with it every product of some of its
/// dimensions: strides can't overflow, not even those of an empty tensor. `what` names the tensor in the message.
void CheckTensorSize(std::string_view what, DType dtype, const Shape& shape);

}  // namespace tenon
