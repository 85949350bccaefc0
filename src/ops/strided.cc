#include "ops/strided.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "ops/shape_rules.h"

namespace tenon {
namespace {

struct StridedDim {
  int64_t size, dst, src;
};

/// Dimensions of size one dropped, and those that both sides walk as one merged.
std::vector<StridedDim> MergeDims(const Shape& shape, std::span<const int64_t> dst, std::span<const int64_t> src) {
  std::vector<StridedDim> dims;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 1) continue;
    const StridedDim dim{shape[i], dst[i], src[i]};
    if (!dims.empty() && dims.back().dst == dim.dst * dim.size && dims.back().src == dim.src * dim.size) {
      dims.back() = {dims.back().size * dim.size, dim.dst, dim.src};
    } else {
      dims.push_back(dim);
    }
  }
  return dims;
}

template <class T>
void CopyRow(const StridedDim& dim, T* dst, const T* src) {
  if (dim.dst == 1 && dim.src == 1) {
    std::memcpy(dst, src, static_cast<size_t>(dim.size) * sizeof(T));
    return;
  }
  for (int64_t i = 0; i < dim.size; ++i) dst[i * dim.dst] = src[i * dim.src];
}

template <class T>
void CopyDims(std::span<const StridedDim> dims, T* dst, const T* src) {
  if (dims.empty()) {
    *dst = *src;
  } else if (dims.size() == 1) {
    CopyRow(dims[0], dst, src);
  } else {
    for (int64_t i = 0; i < dims[0].size; ++i) CopyDims(dims.subspan(1), dst + i * dims[0].dst, src + i * dims[0].src);
  }
}

/// Copies the block of axes [axis, rank) of a mapped copy; returns where the next block goes.
template <class T>
T* CopyMappedBlock(const AxisMaps& maps, std::span<const int64_t> strides, std::span<const int64_t> blocks, size_t axis,
                   const T* src, T fill, T* dst) {
  if (axis == maps.size()) {
    *dst = *src;
    return dst + 1;
  }
  if (axis + 1 == maps.size()) {
    return std::transform(maps[axis].begin(), maps[axis].end(), dst,
                          [&](int64_t index) { return index == kNoSource ? fill : src[index]; });
  }
  for (const int64_t index : maps[axis]) {
    if (index == kNoSource) {
      dst = std::fill_n(dst, blocks[axis], fill);
    } else {
      dst = CopyMappedBlock<T>(maps, strides, blocks, axis + 1, src + index * strides[axis], fill, dst);
    }
  }
  return dst;
}

}  // namespace

Tensor CopyMapped(const Tensor& x, const AxisMaps& maps, const Tensor& fill) {
  TENON_CHECK(maps.size() == x.shape().size());
  Shape shape;
  for (const auto& map : maps) shape.push_back(static_cast<int64_t>(map.size()));
  Tensor y(x.dtype(), shape);
  if (y.elems() == 0) return y;
  const std::vector<int64_t> strides = ContiguousStrides(x.shape()), blocks = ContiguousStrides(shape);
  DispatchWidth(SizeOf(x.dtype()), [&]<class T>() {
    const T value = fill.is_null() ? T(0) : *reinterpret_cast<const T*>(fill.raw());
    CopyMappedBlock<T>(maps, strides, blocks, 0, reinterpret_cast<const T*>(x.raw()), value,
                       reinterpret_cast<T*>(y.raw()));
  });
  return y;
}

void CopyStrided(int64_t elem_bytes, const Shape& shape, std::byte* dst, std::span<const int64_t> dst_strides,
                 const std::byte* src, std::span<const int64_t> src_strides) {
  TENON_CHECK(dst_strides.size() == shape.size() && src_strides.size() == shape.size());
  if (ElemCount(shape) == 0) return;
  const std::vector<StridedDim> dims = MergeDims(shape, dst_strides, src_strides);
  DispatchWidth(elem_bytes,
                [&]<class T>() { CopyDims<T>(dims, reinterpret_cast<T*>(dst), reinterpret_cast<const T*>(src)); });
}

}  // namespace tenon
