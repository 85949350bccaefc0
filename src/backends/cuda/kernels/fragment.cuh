#pragma once
// Sums as tensor cores leave them in a warp: of 16 rows, a lane holds rows lane / 4 and eight more, and of every eight
// columns the two from 2 * (lane % 4) on.
#include "conv_epilogue.cuh"

namespace conv {

/// c[16][8] += a * b over a step of K of 32 bytes, in the type of the problem.
template <class S>  // a template, so that branches of other types are not compiled
DEVICE void MultiplyStep(S (&c)[4], const uint32 (&a)[4], uint32 b0, uint32 b1) {
  if constexpr (kIsInt8)
    ptx::MmaU8S8(c, a, b0, b1);
  else if constexpr (problem::kCompute == Type::kBFloat16)
    ptx::MmaBF16(c, a, b0, b1);
  else
    ptx::MmaF16(c, a, b0, b1);
}

DEVICE void Exchange(Sum& low, Sum& high, bool keeps_high, int mask) {
  const Sum got = ptx::ShuffleXor(keeps_high ? low : high, mask);
  if (keeps_high)
    low = got;
  else
    high = got;
}

/// v holds four items of two; afterwards item q of each of the four lanes that differ in their last two bits.
DEVICE void Transpose(Sum (&v)[8], int q) {
  const bool odd = q & 1, high = q & 2;
#pragma unroll
  for (int h = 0; h < 2; ++h)
#pragma unroll
    for (int e = 0; e < 2; ++e) Exchange(v[4 * h + e], v[4 * h + 2 + e], odd, 1);
#pragma unroll
  for (int e = 0; e < 4; ++e) Exchange(v[e], v[4 + e], high, 2);
}

/// Sums of 8 * kEights channels (kEights even) to the end: sum_of(eight, 2 * half + i) is column i of the lane's two in
/// that eight, of row `half`; pixels are those of the rows. Lanes exchange their sums, so that each has eight
/// neighbours, and four lanes 32 of one row where there are as many: 64 bytes of memory in one go.
template <int kChannels, int kEights, class SumOf>
DEVICE void FinishFragment(const ConvArgs& args, const float* constants, const Pixel (&pixels)[2], int channel,
                           int count, SumOf sum_of) {
  const int q = threadIdx.x & 3;
  constexpr int kWide = kEights / 4 * 4;
  ResidualEight residuals[kWide / 2 + 1];  // all at once: nothing waits for one before it asks for the next
#pragma unroll
  for (int i = 0; i < kWide / 2; ++i) {
    const int column = 8 * (i / 2 * 4 + q);
    residuals[i].Load(args, pixels[i % 2], channel + column, count - column);
  }
#pragma unroll
  for (int i = 0; i < kWide / 2; ++i) {
    Sum v[8];
#pragma unroll
    for (int e = 0; e < 8; ++e) v[e] = sum_of(i / 2 * 4 + e / 2, 2 * (i % 2) + e % 2);
    Transpose(v, q);
    const int column = 8 * (i / 2 * 4 + q);
    FinishEight<kChannels>(args, constants + column, pixels[i % 2], channel + column, count - column, v, residuals[i]);
  }
  if constexpr (kWide < kEights) {
    Sum v[8];
#pragma unroll
    for (int e = 0; e < 8; ++e) v[e] = sum_of(kWide + e / 2 % 2, 2 * (e / 4) + e % 2);
    Transpose(v, q);
    const int column = 8 * (kWide + q % 2);
    const Pixel &a = pixels[0], &b = pixels[1];  // member by member: an address chosen at run time is local memory
    const Pixel pixel = q & 2 ? Pixel{b.n, b.y, b.x, b.valid} : Pixel{a.n, a.y, a.x, a.valid};
    FinishEight<kChannels>(args, constants + column, pixel, channel + column, count - column, v);
  }
}

}  // namespace conv
