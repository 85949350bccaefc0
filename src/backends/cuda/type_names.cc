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

}  // namespace tenon::cuda
