#include "backends/cpu/region_staging.h"

#include <cstring>

#include "ir/tensor.h"

namespace tenon::cpu {
namespace {

template <class T>
T Read(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

/// The loop twice: with the stride known at compile time the compiler vectorises it.
template <class T, class Body>
void ForStride(int64_t stride, int64_t count, const Body& body) {
  constexpr auto kSize = static_cast<int64_t>(sizeof(T));
  if (stride == kSize) {
    for (int64_t i = 0; i < count; ++i) body(i, i * kSize);
  } else {
    for (int64_t i = 0; i < count; ++i) body(i, i * stride);
  }
}

template <class To>
void Stage(DType dtype, const std::byte* from, int64_t stride, int64_t count, To* to) {
  DispatchDType(dtype, [&]<class T>() {
    ForStride<T>(stride, count, [&](int64_t i, int64_t at) { to[i] = static_cast<To>(Read<T>(from + at)); });
  });
}

template <class T, class From>
T Narrow(From value) {
  if constexpr (std::is_same_v<T, bool>) return value != 0;
  return static_cast<T>(value);
}

template <class From>
void Unstage(DType dtype, const From* from, int64_t count, std::byte* to, int64_t stride) {
  DispatchDType(dtype, [&]<class T>() {
    ForStride<T>(stride, count, [&](int64_t i, int64_t at) {
      const T value = Narrow<T>(from[i]);
      std::memcpy(to + at, &value, sizeof(T));
    });
  });
}

}  // namespace

void StageFloats(DType dtype, const std::byte* from, int64_t stride, int64_t count, float* to) {
  if (dtype == DType::kFloat32 && stride == 4) {
    std::memcpy(to, from, static_cast<size_t>(count) * 4);
    return;
  }
  Stage(dtype, from, stride, count, to);
}

void StageInts(DType dtype, const std::byte* from, int64_t stride, int64_t count, int64_t* to) {
  DispatchDType(dtype, [&]<class T>() {
    if constexpr (std::is_integral_v<T>) {
      ForStride<T>(stride, count, [&](int64_t i, int64_t at) { to[i] = Read<T>(from + at); });
    }
  });
}

void UnstageFloats(DType dtype, const float* from, int64_t count, std::byte* to, int64_t stride) {
  if (dtype == DType::kFloat32 && stride == 4) {
    std::memcpy(to, from, static_cast<size_t>(count) * 4);
    return;
  }
  Unstage(dtype, from, count, to, stride);
}

void UnstageInts(DType dtype, const int64_t* from, int64_t count, std::byte* to, int64_t stride) {
  DispatchDType(dtype, [&]<class T>() {
    if constexpr (std::is_integral_v<T>) {
      ForStride<T>(stride, count, [&](int64_t i, int64_t at) {
        const T value = Narrow<T>(from[i]);
        std::memcpy(to + at, &value, sizeof(T));
      });
    }
  });
}

}  // namespace tenon::cpu
