#pragma once
#include <span>
#include <vector>

#include "ir/tensor.h"

namespace tenon {

/// Copies a grid of elements: the one at index (i0, i1, ...) from src + sum(i * src_strides) to dst + sum(i *
/// dst_strides). Strides are in elements and may be zero or negative; adjacent dimensions are merged, contiguous rows
/// are memcpy'd. `dst` and `src` must not overlap.
void CopyStrided(int64_t elem_bytes, const Shape& shape, std::byte* dst, std::span<const int64_t> dst_strides,
                 const std::byte* src, std::span<const int64_t> src_strides);

/// Where each axis of an output takes its elements from: maps[d][i] is the index along axis d of the source, or
/// kNoSource for elements that are `fill`.
using AxisMaps = std::vector<std::vector<int64_t>>;
inline constexpr int64_t kNoSource = -1;

/// y[i0, i1, ...] = x[maps[0][i0], maps[1][i1], ...]; a tensor of the maps' sizes. `fill` holds one element of x's
/// type; it may be null where no map has kNoSource. Every other index must be within x.
Tensor CopyMapped(const Tensor& x, const AxisMaps& maps, const Tensor& fill);

/// Walks a grid in row-major order and keeps its index and one offset (the sum of index * stride), without divisions.
class GridWalker {
 public:
  GridWalker(const Shape& shape, std::vector<int64_t> strides)
      : shape_(shape), strides_(std::move(strides)), index_(shape.size()) {}

  int64_t offset() const { return offset_; }
  const std::vector<int64_t>& index() const { return index_; }
  /// To the next position; after the last one, back to the first.
  void Next() {
    for (size_t d = shape_.size(); d-- > 0;) {
      offset_ += strides_[d];
      if (++index_[d] < shape_[d]) return;
      offset_ -= strides_[d] * shape_[d];
      index_[d] = 0;
    }
  }

 private:
  Shape shape_;
  std::vector<int64_t> strides_, index_;
  int64_t offset_ = 0;
};

}  // namespace tenon
