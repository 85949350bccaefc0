#pragma once
// The tile in matrix instructions: FP16 and BF16 with FP32 sums, u8 x s8 with INT32 sums.
#include "fragment.cuh"
#include "tile.cuh"

namespace conv {

class MmaTile {
 public:
  static constexpr int kMs = kWarpM / 16, kNs = kWarpN / 16;
  static_assert(kWarpM % 16 == 0 && kWarpN % 16 == 0, "whole matrix instructions");

  /// Row of A (of B) in the warp's part that this lane gives the address of, for 16 rows at a time; and which half of
  /// the 32 bytes of a step.
  DEVICE static int RowOfA(const WarpPlace& place) { return place.m * kWarpM + (place.lane & 15); }
  DEVICE static int HalfOfA(const WarpPlace& place) { return place.lane >> 4; }
  DEVICE static int RowOfB(const WarpPlace& place) {
    return place.n * kWarpN + (place.lane & 7) + ((place.lane >> 4) << 3);
  }
  DEVICE static int HalfOfB(const WarpPlace& place) { return (place.lane >> 3) & 1; }

  struct Fragments {
    uint32 a[kMs][4], b[kNs][4];
  };

  DEVICE void Multiply(const Fragments& f) {
#pragma unroll
    for (int i = 0; i < kMs; ++i)
#pragma unroll
      for (int j = 0; j < kNs; ++j) {
        MultiplyStep(sums_[i][2 * j], f.a[i], f.b[j][0], f.b[j][1]);
        MultiplyStep(sums_[i][2 * j + 1], f.a[i], f.b[j][2], f.b[j][3]);
      }
  }

  /// One step of operands that lie in swizzled rows of kPitch bytes; a and b are their shared addresses.
  template <int kPitch>
  DEVICE void Step(uint32 a, uint32 b, int step, const WarpPlace& place) {
    Fragments f;
    const int row_a = RowOfA(place), row_b = RowOfB(place);
#pragma unroll
    for (int i = 0; i < kMs; ++i)
      ptx::LoadMatrices(f.a[i], a + SwizzledChunk<kPitch>(row_a, 2 * step + HalfOfA(place)) + i * 16 * kPitch);
#pragma unroll
    for (int j = 0; j < kNs; ++j)
      ptx::LoadMatrices(f.b[j], b + SwizzledChunk<kPitch>(row_b, 2 * step + HalfOfB(place)) + j * 16 * kPitch);
    Multiply(f);
  }

  /// All threads call it, after their last Step; overwrites the shared memory of the operands where kWK > 1.
  template <class PixelOf>
  DEVICE void Finish(const ConvArgs& args, Sum* stage, const float* constants, int group, int first, PixelOf pixel_of,
                     const WarpPlace& place) {
    if constexpr (kWK == 1) {
      FinishInRegisters(args, constants, group, first, pixel_of, place);
    } else {
      __syncthreads();
      Stage(stage + place.k * kBM * kStagePitch, place);
      __syncthreads();
      FinishStaged(args, stage, constants, group, first, pixel_of);
    }
  }

 private:
  DEVICE void Stage(Sum* stage, const WarpPlace& place) {
    const int row = place.m * kWarpM + (place.lane >> 2), column = place.n * kWarpN + 2 * (place.lane & 3);
#pragma unroll
    for (int i = 0; i < kMs; ++i)
#pragma unroll
      for (int j = 0; j < 2 * kNs; ++j)
#pragma unroll
        for (int e = 0; e < 4; ++e)
          stage[(row + 16 * i + 8 * (e >> 1)) * kStagePitch + column + 8 * j + (e & 1)] = sums_[i][j][e];
  }

  template <class PixelOf>
  DEVICE void FinishInRegisters(const ConvArgs& args, const float* constants, int group, int first, PixelOf pixel_of,
                                const WarpPlace& place) {
    const int column = place.n * kWarpN;
#pragma unroll
    for (int i = 0; i < kMs; ++i) {
      const int row = place.m * kWarpM + 16 * i + (place.lane >> 2);
      const Pixel pixels[2] = {pixel_of(row), pixel_of(row + 8)};
      FinishFragment<kBN, 2 * kNs>(args, constants + column, pixels, group * kGroupOC + first + column,
                                   kGroupOC - first - column, [&](int eight, int e) { return sums_[i][eight][e]; });
    }
  }

  Sum sums_[kMs][2 * kNs][4] = {};
};

}  // namespace conv
