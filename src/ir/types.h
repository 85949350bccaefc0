#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/types.hpp"

namespace tenon {

inline constexpr int kDTypeCount = 9;

int64_t SizeOf(DType dtype);
/// Short name of the text IR: f32 f16 bf16 f64 i8 u8 i32 i64 bool.
std::string_view ToString(DType dtype);
std::optional<DType> ParseDType(std::string_view text);
bool IsFloat(DType dtype);

/// Product of the dimensions. Throws Error(kInvalidInput) when negative dimensions or an overflow make it meaningless.
int64_t ElemCount(const Shape& shape);
/// "1x3x640x640"; "scalar" for {}.
std::string ToString(const Shape& shape);
/// Row-major strides in elements.
std::vector<int64_t> ContiguousStrides(const Shape& shape);
/// ONNX (NumPy) multidirectional broadcasting. Throws Error(kInvalidInput) where the shapes don't match.
Shape BroadcastShapes(const Shape& a, const Shape& b);

/// Type of a value. A missing shape is one that depends on data (NonZero, NonMaxSuppression).
struct TensorType {
  DType dtype = DType::kFloat32;
  std::optional<Shape> shape;
  friend bool operator==(const TensorType&, const TensorType&) = default;
};

/// "f32[1,3,640,640]", "f32[]" for a scalar, "f32[?]" where the shape depends on data.
std::string ToString(const TensorType& type);

}  // namespace tenon
