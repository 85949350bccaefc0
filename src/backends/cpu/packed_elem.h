#pragma once
#include <cstddef>
#include <cstring>

namespace tenon::cpu {

/// `value` rounded to T, at an address of any alignment.
template <class T>
void StoreAs(float value, std::byte* to) {
  const T stored(value);
  std::memcpy(to, &stored, sizeof stored);
}

template <class T>
float LoadAs(const std::byte* from) {
  T stored;
  std::memcpy(&stored, from, sizeof stored);
  return static_cast<float>(stored);
}

}  // namespace tenon::cpu
