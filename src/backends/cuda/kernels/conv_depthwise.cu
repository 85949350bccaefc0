// Convolution with one input channel per output channel: a thread computes kPixels neighbours in a row of eight
// channels. Sums in the order of the taps; FP32, or exact integers for INT8. Weights are [tap][OC] (FP32, or s8).
#include "conv_epilogue.cuh"

namespace conv {

constexpr int kPixels = tactic::kPixels, kThreads = tactic::kThreads;
constexpr int kEights = problem::kOC / 8, kStrips = (problem::kOW + kPixels - 1) / kPixels;
constexpr int kItems = problem::kN * problem::kOH * kStrips * kEights;
constexpr int kReach = (kPixels - 1) * problem::kStrideW + (problem::kKW - 1) * problem::kDilationW + 1;
static_assert(kGroupIC == 1 && kGroupOC == 1 && problem::kOC % 8 == 0, "depthwise, channels in eights");

/// Eight neighbouring elements as sums take them: floats, or bytes less the zero point.
DEVICE void LoadOperands(Sum (&v)[8], const char* from) {
  float f[8];
  LoadEight<problem::Input::kType>(f, from);
#pragma unroll
  for (int i = 0; i < 8; ++i) v[i] = kIsInt8 ? Sum(f[i]) - Sum(problem::kInputZero) : Sum(f[i]);
}

DEVICE void LoadWeights(Sum (&w)[8], const char* packed, int tap, int channel) {
  if constexpr (kIsInt8) {
    const int2 p = *reinterpret_cast<const int2*>(packed + tap * problem::kOC + channel);
#pragma unroll
    for (int i = 0; i < 4; ++i) w[i] = Sum(p.x << (24 - 8 * i) >> 24), w[4 + i] = Sum(p.y << (24 - 8 * i) >> 24);
  } else {
    float f[8];
    LoadEight<Type::kFloat32>(f, packed + (tap * problem::kOC + channel) * 4);
#pragma unroll
    for (int i = 0; i < 8; ++i) w[i] = Sum(f[i]);
  }
}

DEVICE Sum MultiplyAdd(Sum x, Sum w, Sum sum) {
  if constexpr (kIsInt8)
    return x * w + sum;
  else
    return __fmaf_rn(x, w, sum);
}

/// Row kh of the window of all kPixels pixels: the pixels that it reaches are loaded once.
DEVICE void AddRow(Sum (&sums)[kPixels][8], const char* row, const char* packed, int kh, int x0, int channel) {
  Sum weights[problem::kKW][8];
#pragma unroll
  for (int kw = 0; kw < problem::kKW; ++kw) LoadWeights(weights[kw], packed, kh * problem::kKW + kw, channel);
#pragma unroll
  for (int r = 0; r < kReach; ++r) {
    Sum v[8] = {};
    if (unsigned(x0 + r) < problem::kIW) LoadOperands(v, row + Offset(x0 + r) * Offset(problem::Input::kPixel));
#pragma unroll
    for (int p = 0; p < kPixels; ++p) {
      const int kw = (r - p * problem::kStrideW) / problem::kDilationW;
      if (r < p * problem::kStrideW || (r - p * problem::kStrideW) % problem::kDilationW != 0 || kw >= problem::kKW)
        continue;
#pragma unroll
      for (int i = 0; i < 8; ++i) sums[p][i] = MultiplyAdd(v[i], weights[kw][i], sums[p][i]);
    }
  }
}

/// Biases (and multipliers) of eight channels, as FinishEight reads them.
DEVICE void LoadConstants(float (&constants)[24], const char* packed, int channel) {
  const float* biases = reinterpret_cast<const float*>(packed + problem::kBiasOffset);
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    constants[i] = biases[channel + i];
    constants[8 + i] = kIsInt8 ? biases[problem::kOC + channel + i] : 0.f;
    constants[16 + i] = 0.f;  // the zero point is taken off each element
  }
}

}  // namespace conv

extern "C" __global__ void __launch_bounds__(conv::kThreads) conv_depthwise(const __grid_constant__ ConvArgs args) {
  using namespace conv;
  using I = problem::Input;
  const int item = blockIdx.x * kThreads + threadIdx.x;
  ptx::WaitForProducers();
  ptx::ReleaseConsumers();
  if (item >= kItems) return;
  const int channel = item % kEights * 8, strip = item / kEights % kStrips, row = item / kEights / kStrips;
  const int n = row / problem::kOH, y = row % problem::kOH;
  const char* base = args.input + Offset(n) * Offset(I::kImage) + channel * SizeOf(I::kType);
  Sum sums[kPixels][8] = {};
#pragma unroll 1
  for (int kh = 0; kh < problem::kKH; ++kh) {
    const int iy = y * problem::kStrideH - problem::kPadTop + kh * problem::kDilationH;
    if (unsigned(iy) >= problem::kIH) continue;
    AddRow(sums, base + Offset(iy) * Offset(I::kRow), args.packed, kh,
           strip * kPixels * problem::kStrideW - problem::kPadLeft, channel);
  }
  float constants[24];
  LoadConstants(constants, args.packed, channel);
#pragma unroll
  for (int p = 0; p < kPixels; ++p) {
    const int x = strip * kPixels + p;
    FinishEight<8>(args, constants, PixelOfRow(row * problem::kOW + x, x < problem::kOW), channel, 8, sums[p]);
  }
}
