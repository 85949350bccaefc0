#include "backends/cuda/offset_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>

namespace tenon::cuda {
namespace {

/// Without dimensions of one element, neighbours that the operand walks evenly as one.
StridedDims Merged(const StridedDims& dims) {
  StridedDims merged;
  for (size_t d = 0; d < dims.sizes.size(); ++d) {
    if (dims.sizes[d] == 1) continue;
    if (!merged.sizes.empty() && merged.strides.back() == dims.strides[d] * dims.sizes[d]) {
      merged.sizes.back() *= dims.sizes[d];
      merged.strides.back() = dims.strides[d];
    } else {
      merged.Add(dims.sizes[d], dims.strides[d]);
    }
  }
  return merged;
}

}  // namespace

std::string OffsetFunction(std::string_view name, const StridedDims& dims) {
  const StridedDims merged = Merged(dims);
  std::string sum;
  int64_t inner = 1;
  for (size_t d = merged.sizes.size(); d-- > 0;) {
    std::string index = inner == 1 ? "i" : fmt::format("i / {}u", inner);
    if (d > 0) index = fmt::format("({}) % {}u", index, merged.sizes[d]);
    if (merged.strides[d] != 0)
      sum += fmt::format("{}int64({}) * {}", sum.empty() ? "" : " + ", index, merged.strides[d]);
    inner *= merged.sizes[d];
  }
  return fmt::format("DEVICE int64 {}(uint32 i) {{ return {}; }}\n", name, sum.empty() ? "0" : sum);
}

std::vector<size_t> DimsByStride(const KernelOperand& operand) {
  std::vector<size_t> order(operand.shape.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::abs(operand.strides_bytes[a]) > std::abs(operand.strides_bytes[b]);
  });
  return order;
}

StridedDims DimsInOrder(const KernelOperand& operand, const std::vector<size_t>& order) {
  StridedDims dims;
  for (const size_t d : order) dims.Add(operand.shape[d], operand.strides_bytes[d]);
  return dims;
}

}  // namespace tenon::cuda
