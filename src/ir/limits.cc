#include "ir/limits.h"

#include <algorithm>

#include "base/error.h"

namespace tenon {

void CheckTensorSize(std::string_view what, DType dtype, const Shape& shape) {
  if (shape.size() > kMaxRank) ThrowInvalid("{}: rank {} is beyond {}", what, shape.size(), kMaxRank);
  int64_t bytes = SizeOf(dtype);
  for (const int64_t dim : shape) {
    if (dim < 0) ThrowInvalid("{}: a dimension of {} would be negative", what, ToString(shape));
    if (__builtin_mul_overflow(bytes, std::max<int64_t>(dim, 1), &bytes) || bytes > kMaxTensorBytes) {
      ThrowInvalid({.what = fmt::format("{}: a tensor of {} is too large", what, ToString(shape)),
                    .expected = fmt::format("at most {} bytes", kMaxTensorBytes)});
    }
  }
}

}  // namespace tenon
