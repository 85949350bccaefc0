#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "backends/cuda/cuda_kernel.h"

namespace tenon::cuda {

/// Dimensions that a kernel counts through, the last one fastest, and an operand's byte strides along them.
struct StridedDims {
  Shape sizes;
  std::vector<int64_t> strides;

  void Add(int64_t size, int64_t stride) {
    sizes.push_back(size);
    strides.push_back(stride);
  }
  int64_t count() const { return ElemCount(sizes); }
};

/// The device function `int64 NAME(uint32 i)`: byte offset of element i. Every size has to be positive.
std::string OffsetFunction(std::string_view name, const StridedDims& dims);

/// The dimensions of an operand in the order of falling strides, so that neighbours in a count are neighbours in
/// memory.
std::vector<size_t> DimsByStride(const KernelOperand& operand);
/// An operand's dimensions in a given order.
StridedDims DimsInOrder(const KernelOperand& operand, const std::vector<size_t>& order);

/// Counts have to fit in 31 bits, with the threads that a last block has too many.
inline constexpr int64_t kMostElements = int64_t{1} << 30;

/// Blocks of `threads` threads for `items` of them.
inline unsigned BlocksOf(int64_t items, int64_t threads) {
  return static_cast<unsigned>((items + threads - 1) / threads);
}

}  // namespace tenon::cuda
