#pragma once
#include <span>

#include "backends/kernel.h"

namespace tenon::cpu {

/// Some dimensions of an operand, outermost first.
struct StridedGrid {
  std::vector<int64_t> sizes, strides;  ///< bytes

  void Add(int64_t size, int64_t stride);
  int64_t count() const;
  /// Byte offset of the element with this row-major number.
  int64_t OffsetOf(int64_t index) const;
};

/// Copies the grid's elements in row-major order to (or from) a dense array of floats.
void GatherFloats(const StridedGrid& grid, DType dtype, const std::byte* from, float* to);
void ScatterFloats(const StridedGrid& grid, DType dtype, const float* from, std::byte* to);

}  // namespace tenon::cpu
