#pragma once
// The tile in matrix instructions: FP16 and BF16 with FP32 sums, u8 x s8 with INT32 sums.
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
        Mma(sums_[i][2 * j], f.a[i], f.b[j][0], f.b[j][1]);
        Mma(sums_[i][2 * j + 1], f.a[i], f.b[j][2], f.b[j][3]);
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
  template <class S>  // a template, so that branches of other types are not compiled
  DEVICE static void Mma(S (&c)[4], const uint32 (&a)[4], uint32 b0, uint32 b1) {
    if constexpr (kIsInt8)
      ptx::MmaU8S8(c, a, b0, b1);
    else if constexpr (problem::kCompute == Type::kBFloat16)
      ptx::MmaBF16(c, a, b0, b1);
    else
      ptx::MmaF16(c, a, b0, b1);
  }

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

  /// Four lanes that share two rows and sixteen channels exchange their sums, so that each has eight neighbours of
  /// one row: item 2 * (row half) + (eight of channels) goes to lane `item`.
  template <class PixelOf>
  DEVICE void FinishInRegisters(const ConvArgs& args, const float* constants, int group, int first, PixelOf pixel_of,
                                const WarpPlace& place) {
    const int q = place.lane & 3;
#pragma unroll
    for (int i = 0; i < kMs; ++i) {
      const Pixel pixel = pixel_of(place.m * kWarpM + 16 * i + (place.lane >> 2) + 8 * (q >> 1));
#pragma unroll
      for (int j = 0; j < kNs; ++j) {
        Sum v[8];
#pragma unroll
        for (int e = 0; e < 8; ++e) v[e] = sums_[i][2 * j + (e >> 1 & 1)][2 * (e >> 2) + (e & 1)];
        Transpose(v, q);
        const int column = place.n * kWarpN + 16 * j + 8 * (q & 1);
        FinishEight<kBN>(args, constants + column, pixel, group * kGroupOC + first + column, kGroupOC - first - column,
                         v);
      }
    }
  }

  /// v holds four items of two; afterwards item q of each of the four lanes, in their order.
  DEVICE static void Transpose(Sum (&v)[8], int q) {
    const bool odd = q & 1, high = q & 2;
#pragma unroll
    for (int h = 0; h < 2; ++h)
#pragma unroll
      for (int e = 0; e < 2; ++e) Exchange(v[4 * h + e], v[4 * h + 2 + e], odd, 1);
#pragma unroll
    for (int e = 0; e < 4; ++e) Exchange(v[e], v[4 + e], high, 2);
  }
  DEVICE static void Exchange(Sum& low, Sum& high, bool keeps_high, int mask) {
    const Sum got = ptx::ShuffleXor(keeps_high ? low : high, mask);
    if (keeps_high)
      low = got;
    else
      high = got;
  }

  Sum sums_[kMs][2 * kNs][4] = {};
};

}  // namespace conv
