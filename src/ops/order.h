#pragma once
#include <type_traits>

#include "ir/float16.h"

namespace tenon {

/// A strict weak order of any element type, which `<` isn't where NaNs are: NaN is the largest, all NaNs are equal.
template <class T>
bool TotalLess(T a, T b) {
  if constexpr (std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>) {
    return TotalLess(static_cast<float>(a), static_cast<float>(b));
  } else {
    return a < b || (a == a && b != b);
  }
}

}  // namespace tenon
