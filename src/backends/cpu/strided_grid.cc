#include "backends/cpu/strided_grid.h"

#include "backends/cpu/region_staging.h"

namespace tenon::cpu {

// Dimensions that continue one another are kept as one: longer inner rows.
void StridedGrid::Add(int64_t size, int64_t stride) {
  if (size == 1) return;
  if (!sizes.empty() && strides.back() == stride * size) {
    sizes.back() *= size;
    strides.back() = stride;
  } else {
    sizes.push_back(size);
    strides.push_back(stride);
  }
}

int64_t StridedGrid::count() const { return ElemCount(sizes); }

int64_t StridedGrid::OffsetOf(int64_t index) const {
  int64_t offset = 0;
  for (size_t d = sizes.size(); d-- > 0;) {
    offset += index % sizes[d] * strides[d];
    index /= sizes[d];
  }
  return offset;
}

void GatherFloats(const StridedGrid& grid, DType dtype, const std::byte* from, float* to) {
  const int64_t row = grid.sizes.empty() ? 1 : grid.sizes.back(), stride = grid.sizes.empty() ? 0 : grid.strides.back();
  const int64_t count = grid.count();
  for (int64_t i = 0; i < count; i += row) StageFloats(dtype, from + grid.OffsetOf(i), stride, row, to + i);
}

void ScatterFloats(const StridedGrid& grid, DType dtype, const float* from, std::byte* to) {
  const int64_t row = grid.sizes.empty() ? 1 : grid.sizes.back(), stride = grid.sizes.empty() ? 0 : grid.strides.back();
  const int64_t count = grid.count();
  for (int64_t i = 0; i < count; i += row) UnstageFloats(dtype, from + i, row, to + grid.OffsetOf(i), stride);
}

}  // namespace tenon::cpu
