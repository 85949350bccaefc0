#include "backends/cuda/type_names.h"

namespace tenon::cuda {

std::string_view TypeName(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return "Type::kFloat32";
    case DType::kFloat16:
      return "Type::kFloat16";
    case DType::kBFloat16:
      return "Type::kBFloat16";
    case DType::kUInt8:
      return "Type::kUInt8";
    default:
      return {};
  }
}

std::string_view TypeSuffix(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return "F32";
    case DType::kFloat16:
      return "F16";
    case DType::kBFloat16:
      return "BF16";
    case DType::kInt8:
      return "I8";
    case DType::kUInt8:
      return "U8";
    case DType::kInt32:
      return "I32";
    case DType::kInt64:
      return "I64";
    case DType::kBool:
      return "Bool";
    default:
      return {};
  }
}

}  // namespace tenon::cuda
