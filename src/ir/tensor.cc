#include "ir/tensor.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>

#include "base/memory.h"

namespace tenon {
namespace {

constexpr std::align_val_t kAlignment{64};

std::shared_ptr<const std::byte> Allocate(int64_t size_bytes, const Shape& shape) {
  CheckMemory("a tensor", size_bytes);
  const size_t size = static_cast<size_t>(std::max<int64_t>(size_bytes, 1));
  void* memory = ::operator new(size, kAlignment, std::nothrow);
  if (!memory)
    ThrowInvalid({.what = "out of memory", .got = fmt::format("a tensor of {} ({} bytes)", ToString(shape), size)});
  std::memset(memory, 0, size);
  return {static_cast<const std::byte*>(memory),
          [](const std::byte* p) { ::operator delete(const_cast<std::byte*>(p), kAlignment); }};
}

int64_t SizeBytes(DType dtype, const Shape& shape) {
  int64_t bytes = 0;
  if (__builtin_mul_overflow(ElemCount(shape), SizeOf(dtype), &bytes))
    ThrowInvalid("bad shape: {} overflows", ToString(shape));
  return bytes;
}

/// static_cast with the out-of-range cases of float to integer defined: saturate, NaN to 0.
template <class To, class From>
To ConvertElement(From value) {
  if constexpr (std::is_same_v<From, Float16> || std::is_same_v<From, BFloat16>) {
    return ConvertElement<To>(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, bool>) {
    return value != From(0);
  } else if constexpr (std::is_same_v<To, Float16> || std::is_same_v<To, BFloat16>) {
    return To(static_cast<float>(value));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    if (std::isnan(value)) return 0;
    // Narrow integers wrap as NumPy's cast does, via int64; wide ones saturate.
    constexpr double kMax = 9223372036854774784.0;  // largest double below 2^63
    return static_cast<To>(static_cast<int64_t>(std::clamp(static_cast<double>(value), -9223372036854775808.0, kMax)));
  } else {
    return static_cast<To>(value);
  }
}

}  // namespace

Tensor::Tensor(DType dtype, Shape shape)
    : dtype_(dtype),
      shape_(std::move(shape)),
      elems_(ElemCount(shape_)),
      data_(Allocate(SizeBytes(dtype, shape_), shape_)) {}

Tensor::Tensor(DType dtype, Shape shape, std::shared_ptr<const std::byte> data)
    : dtype_(dtype), shape_(std::move(shape)), elems_(ElemCount(shape_)), data_(std::move(data)) {
  TENON_CHECK(data_ != nullptr);
}

double Tensor::AsDouble(int64_t i) const {
  TENON_CHECK(i >= 0 && i < elems_, "element {} of {}", i, elems_);
  return DispatchDType(dtype_, [&]<class T>() { return ConvertElement<double>(data<T>()[i]); });
}

int64_t Tensor::AsInt(int64_t i) const {
  TENON_CHECK(i >= 0 && i < elems_, "element {} of {}", i, elems_);
  return DispatchDType(dtype_, [&]<class T>() { return ConvertElement<int64_t>(data<T>()[i]); });
}

std::vector<int64_t> Tensor::AsInts() const {
  std::vector<int64_t> result(static_cast<size_t>(elems_));
  for (int64_t i = 0; i < elems_; ++i) result[i] = AsInt(i);
  return result;
}

Tensor Tensor::Reshaped(Shape shape) const {
  TENON_CHECK(ElemCount(shape) == elems_, "{} to {}", ToString(shape_), ToString(shape));
  return Tensor(dtype_, std::move(shape), data_);
}

Tensor Tensor::CastTo(DType dtype) const {
  if (dtype == dtype_) return *this;
  Tensor result(dtype, shape_);
  DispatchDType(dtype_, [&]<class From>() {
    DispatchDType(dtype, [&]<class To>() {
      const From* in = data<From>();
      std::transform(in, in + elems_, result.data<To>(), [](From v) { return ConvertElement<To>(v); });
    });
  });
  return result;
}

bool Identical(const Tensor& a, const Tensor& b) {
  return a.is_null() == b.is_null() && a.type() == b.type() &&
         (a.is_null() || std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.size_bytes())) == 0);
}

}  // namespace tenon
