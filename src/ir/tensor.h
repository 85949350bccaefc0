#pragma once
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "ir/float16.h"
#include "ir/types.h"

namespace tenon {

/// The C++ type that stores a DType. bool is stored as one byte, 0 or 1.
template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::kFloat32;
};
template <>
struct DTypeOf<Float16> {
  static constexpr DType value = DType::kFloat16;
};
template <>
struct DTypeOf<BFloat16> {
  static constexpr DType value = DType::kBFloat16;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::kFloat64;
};
template <>
struct DTypeOf<int8_t> {
  static constexpr DType value = DType::kInt8;
};
template <>
struct DTypeOf<uint8_t> {
  static constexpr DType value = DType::kUInt8;
};
template <>
struct DTypeOf<int32_t> {
  static constexpr DType value = DType::kInt32;
};
template <>
struct DTypeOf<int64_t> {
  static constexpr DType value = DType::kInt64;
};
template <>
struct DTypeOf<bool> {
  static constexpr DType value = DType::kBool;
};

/// Calls f.template operator()<T>() with the storage type of `dtype`.
template <class F>
decltype(auto) DispatchDType(DType dtype, F&& f) {
  switch (dtype) {
    case DType::kFloat32:
      return f.template operator()<float>();
    case DType::kFloat16:
      return f.template operator()<Float16>();
    case DType::kBFloat16:
      return f.template operator()<BFloat16>();
    case DType::kFloat64:
      return f.template operator()<double>();
    case DType::kInt8:
      return f.template operator()<int8_t>();
    case DType::kUInt8:
      return f.template operator()<uint8_t>();
    case DType::kInt32:
      return f.template operator()<int32_t>();
    case DType::kInt64:
      return f.template operator()<int64_t>();
    case DType::kBool:
      return f.template operator()<bool>();
  }
  TENON_CHECK(false, "bad dtype");
  __builtin_unreachable();
}

/// A dense row-major tensor on the host. A Tensor is a handle: copies share the elements, so elements are written only
/// by who made the tensor, before it is handed on. The default-constructed Tensor is null: an absent optional operand.
class Tensor {
 public:
  Tensor() = default;
  /// Zero-filled, 64-byte aligned. Throws Error(kInvalidInput) when the size overflows or memory is short.
  Tensor(DType dtype, Shape shape);
  /// Elements held elsewhere (a mapped file); `data` keeps them alive and must hold ElemCount(shape) elements.
  Tensor(DType dtype, Shape shape, std::shared_ptr<const std::byte> data);

  template <class T>
  static Tensor Of(Shape shape, const std::vector<T>& values) {
    Tensor tensor(DTypeOf<T>::value, std::move(shape));
    TENON_CHECK(static_cast<int64_t>(values.size()) == tensor.elems(), "{} values", values.size());
    auto* out = tensor.data<T>();
    for (size_t i = 0; i < values.size(); ++i) out[i] = values[i];
    return tensor;
  }
  template <class T>
  static Tensor Scalar(T value) {
    return Of<T>({}, std::vector<T>{value});
  }

  bool is_null() const { return !data_; }
  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int64_t rank() const { return static_cast<int64_t>(shape_.size()); }
  int64_t elems() const { return elems_; }
  int64_t size_bytes() const { return elems_ * SizeOf(dtype_); }
  TensorType type() const { return {dtype_, shape_}; }

  template <class T>
  const T* data() const {
    TENON_CHECK(DTypeOf<T>::value == dtype_, "tensor is {}, not {}", ToString(dtype_), ToString(DTypeOf<T>::value));
    return reinterpret_cast<const T*>(data_.get());
  }
  template <class T>
  T* data() {
    return const_cast<T*>(std::as_const(*this).data<T>());
  }
  template <class T>
  std::span<const T> values() const {
    return {data<T>(), static_cast<size_t>(elems_)};
  }
  const std::byte* raw() const { return data_.get(); }
  std::byte* raw() { return const_cast<std::byte*>(data_.get()); }
  std::span<const std::byte> bytes() const { return {data_.get(), static_cast<size_t>(size_bytes())}; }

  /// Element i (row-major) of whatever type, as double / as integer (floats are truncated).
  double AsDouble(int64_t i) const;
  int64_t AsInt(int64_t i) const;
  /// All elements as integers; for axes, shapes, pads.
  std::vector<int64_t> AsInts() const;

  /// Same elements, other shape (same count).
  Tensor Reshaped(Shape shape) const;
  /// Elements converted as static_cast does; floats to bfloat16/float16 round to nearest even; to bool: != 0.
  Tensor CastTo(DType dtype) const;

 private:
  DType dtype_ = DType::kFloat32;
  Shape shape_;
  int64_t elems_ = 0;
  std::shared_ptr<const std::byte> data_;
};

/// Same type and the same bytes.
bool Identical(const Tensor& a, const Tensor& b);

}  // namespace tenon
