#include "ir/types.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "base/error.h"

namespace tenon {
namespace {
struct DTypeInfo {
  std::string_view name;
  int64_t size_bytes;
};
constexpr std::array<DTypeInfo, kDTypeCount> kDTypes = {
    {{"f32", 4}, {"f16", 2}, {"bf16", 2}, {"f64", 8}, {"i8", 1}, {"u8", 1}, {"i32", 4}, {"i64", 8}, {"bool", 1}}};
}  // namespace

int64_t SizeOf(DType dtype) { return kDTypes[static_cast<size_t>(dtype)].size_bytes; }
std::string_view ToString(DType dtype) { return kDTypes[static_cast<size_t>(dtype)].name; }

std::optional<DType> ParseDType(std::string_view text) {
  for (int i = 0; i < kDTypeCount; ++i) {
    if (kDTypes[i].name == text) return static_cast<DType>(i);
  }
  return std::nullopt;
}

bool IsFloat(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kFloat16 || dtype == DType::kBFloat16 || dtype == DType::kFloat64;
}

int64_t ElemCount(const Shape& shape) {
  int64_t count = 1;
  bool empty = false;
  for (const int64_t dim : shape) {
    if (dim < 0) ThrowInvalid("bad shape: dimension {} is negative", dim);
    empty |= dim == 0;
    // Zeros are left out of the product, so that no partial product of a shape that passes can overflow.
    if (dim != 0 && __builtin_mul_overflow(count, dim, &count))
      ThrowInvalid("bad shape: {} elements overflow", ToString(shape));
  }
  return empty ? 0 : count;
}

std::string ToString(const Shape& shape) { return shape.empty() ? "scalar" : fmt::format("{}", fmt::join(shape, "x")); }

std::vector<int64_t> ContiguousStrides(const Shape& shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

Shape BroadcastShapes(const Shape& a, const Shape& b) {
  const size_t rank = std::max(a.size(), b.size());
  Shape result(rank);
  for (size_t i = 0; i < rank; ++i) {
    const int64_t da = i + a.size() < rank ? 1 : a[i + a.size() - rank];
    const int64_t db = i + b.size() < rank ? 1 : b[i + b.size() - rank];
    if (da != db && da != 1 && db != 1) {
      ThrowInvalid({.what = "shapes don't broadcast", .got = ToString(a) + " and " + ToString(b)});
    }
    result[i] = da == 1 ? db : da;
  }
  return result;
}

std::string ToString(const TensorType& type) {
  return fmt::format("{}[{}]", ToString(type.dtype), type.shape ? fmt::format("{}", fmt::join(*type.shape, ",")) : "?");
}

}  // namespace tenon
