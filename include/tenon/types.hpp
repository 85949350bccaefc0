#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace tenon {

/// Element types. bool is one byte, 0 or 1.
enum class DType : uint8_t { kFloat32, kFloat16, kBFloat16, kFloat64, kInt8, kUInt8, kInt32, kInt64, kBool };

/// Dimensions, outermost first; each >= 0. {} is a scalar.
using Shape = std::vector<int64_t>;

/// An input or output of an engine.
struct TensorInfo {
  std::string name;
  DType dtype = DType::kFloat32;
  Shape shape;
};

}  // namespace tenon
