#pragma once
// A block takes kLanes rows of elements with kParts threads each: thread `part` of a row has elements part,
// part + kParts, ..., and what the threads have is joined in the order of a tree. Neighbouring threads take neighbouring
// rows where those are neighbours in memory (kRowsAreNeighbours), else neighbouring elements. The generated text before
// this file defines namespace `problem` (row_source.h on the host).
#include "region.cuh"

namespace rows {
using namespace problem;

constexpr int kThreads = kLanes * kParts;
constexpr int kPartStep = kRowsAreNeighbours ? kLanes : 1;  ///< threads from one part of a row to the next

struct Place {
  uint32 row;  ///< of a thread beyond the last row: the last one
  int part;
  bool valid;

  DEVICE Place() {
    const int thread = threadIdx.x;
    part = kRowsAreNeighbours ? thread / kLanes : thread % kParts;
    row = blockIdx.x * kLanes + (kRowsAreNeighbours ? thread % kLanes : thread / kParts);
    valid = row < kRows;
    if (!valid) row = kRows - 1;
  }
};

/// The join of the values of a row's threads, given to all of them. All threads of the block call it.
template <class T, class F>
DEVICE T Joined(T value, const Place& place, F join) {
  __shared__ T values[kThreads];
  const int thread = threadIdx.x;
  values[thread] = value;
  __syncthreads();
#pragma unroll
  for (int half = kParts / 2; half > 0; half /= 2) {
    if (place.part < half) values[thread] = join(values[thread], values[thread + half * kPartStep]);
    __syncthreads();
  }
  const T joined = values[thread - place.part * kPartStep];
  __syncthreads();
  return joined;
}

DEVICE float Sum(float value, const Place& place) {
  return Joined(value, place, [](float a, float b) { return a + b; });
}

}  // namespace rows
