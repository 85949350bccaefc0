#pragma once
// The tile in FP32 multiply-adds: no TF32. A lane has every fourth row and every eighth column of its warp's part, so
// that the 16-byte reads of a warp touch each bank once.
#include "tile.cuh"

namespace conv {

class SimtTile {
 public:
  static constexpr int kMs = kWarpM / 4, kNs = kWarpN / 8;

  template <int kPitch>
  DEVICE void Step(uint32 a, uint32 b, int step, const WarpPlace& place) {
    const int row = place.m * kWarpM + place.lane / 8, column = place.n * kWarpN + place.lane % 8;
#pragma unroll
    for (int chunk = 2 * step; chunk < 2 * step + 2; ++chunk) {
      float4 bs[kNs];
#pragma unroll
      for (int j = 0; j < kNs; ++j) bs[j] = ptx::LoadSharedFloat4(b + SwizzledChunk<kPitch>(column + 8 * j, chunk));
#pragma unroll
      for (int i = 0; i < kMs; ++i) {
        const float4 as = ptx::LoadSharedFloat4(a + SwizzledChunk<kPitch>(row + 4 * i, chunk));
#pragma unroll
        for (int j = 0; j < kNs; ++j) {
          float sum = __fmaf_rn(as.x, bs[j].x, sums_[i][j]);
          sum = __fmaf_rn(as.y, bs[j].y, sum);
          sum = __fmaf_rn(as.z, bs[j].z, sum);
          sums_[i][j] = __fmaf_rn(as.w, bs[j].w, sum);
        }
      }
    }
  }

  template <class PixelOf>
  DEVICE void Finish(const ConvArgs& args, Sum* stage, const float* constants, int group, int first, PixelOf pixel_of,
                     const WarpPlace& place) {
    const int row = place.k * kBM + place.m * kWarpM + place.lane / 8, column = place.n * kWarpN + place.lane % 8;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kMs; ++i)
#pragma unroll
      for (int j = 0; j < kNs; ++j) stage[(row + 4 * i) * kStagePitch + column + 8 * j] = sums_[i][j];
    __syncthreads();
    FinishStaged(args, stage, constants, group, first, pixel_of);
  }

 private:
  float sums_[kMs][kNs] = {};
};

}  // namespace conv
