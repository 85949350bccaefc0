#pragma once
#include <string_view>

#include "ir/types.h"

namespace tenon::cuda {

/// The element type as kernels/elements.cuh names it; "" for one that it doesn't know.
std::string_view TypeName(DType dtype);
/// Behind Load and Store of kernels/region.cuh ("F16"); "" for a type that they don't know.
std::string_view TypeSuffix(DType dtype);

}  // namespace tenon::cuda
