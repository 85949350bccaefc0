#pragma once
// A block's tile of the product, kBM output pixels by kBN output channels, as its warps hold it: WM x WN parts, and
// kWK groups of warps that take every kWK-th step of K each. A step is 32 bytes of K of every row. The order of a
// sum: steps w, w + kWK, ... for w = 0, 1, ...; then those sums in the order of w. So results depend on kWK alone.
#include "conv_epilogue.cuh"

namespace conv {
using namespace tactic;

constexpr int kThreads = kWM * kWN * kWK * 32;
constexpr int kWarpM = kBM / kWM, kWarpN = kBN / kWN;
constexpr int kConstantsBytes = 3 * kBN * 4;
constexpr int kStagePitch = kBN + 8;  ///< elements of a row of staged sums

struct WarpPlace {
  int lane, m, n, k;

  DEVICE WarpPlace() {
    const int warp = threadIdx.x / 32;
    lane = threadIdx.x % 32;
    m = warp % kWM;
    n = warp / kWM % kWN;
    k = warp / (kWM * kWN);
  }
};

/// Rows of kPitch bytes in shared memory, 16-byte chunks permuted so that eight rows of a chunk lie in all banks.
template <int kPitch>
DEVICE uint32 SwizzledChunk(int row, int chunk) {
  const int turn = kPitch == 64 ? (row >> 1) & 3 : row & 7;
  return uint32(row * kPitch + ((chunk ^ turn) << 4));
}

/// The sums of all warps to shared memory, `Put(row, column, value)` being called for each, and from there eight
/// channels at a time to the end. pixel_of(row of the tile) gives the pixel.
template <class PixelOf>
DEVICE void FinishStaged(const ConvArgs& args, const Sum* staged, const float* constants, int group, int first,
                         PixelOf pixel_of) {
  constexpr int kEights = kBN / 8;
  for (int i = threadIdx.x; i < kBM * kEights; i += kThreads) {
    const int row = i / kEights, column = i % kEights * 8;
    Sum sums[8];
#pragma unroll
    for (int j = 0; j < 8; ++j) sums[j] = staged[row * kStagePitch + column + j];
#pragma unroll
    for (int w = 1; w < kWK; ++w)
#pragma unroll
      for (int j = 0; j < 8; ++j) sums[j] += staged[(w * kBM + row) * kStagePitch + column + j];
    FinishEight<kBN>(args, constants + column, pixel_of(row), group * kGroupOC + first + column,
                     kGroupOC - first - column, sums);
  }
}

}  // namespace conv
