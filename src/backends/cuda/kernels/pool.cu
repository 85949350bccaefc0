// Max, average and Lp pooling on views: a thread takes kChannels neighbouring channels of one output pixel. Sums run over
// the window row by row, in FP32; a maximum leaves NaN out. Maxima of half vectors stay what they are; a tap outside of
// the image reads the border instead, which the window has too: so nothing waits for a comparison.
#include "elements.cuh"

namespace pool {
using namespace problem;

struct Args {
  const char* input;
  char* output;
};

constexpr int kBlocks = kC / kChannels;  ///< of channels

DEVICE void Load(float (&v)[8], const char* from) { LoadEight<kType>(v, from); }
DEVICE void Load(float (&v)[1], const char* from) { v[0] = LoadElement<kType>(from); }
DEVICE void Store(char* to, const float (&v)[8]) { PackedEight<kType>(v).StoreIf(true, to); }
DEVICE void Store(char* to, const float (&v)[1]) { StoreElement<kType>(to, v[0]); }

DEVICE void Take(float (&sum)[kChannels], const float (&v)[kChannels]) {
#pragma unroll
  for (int i = 0; i < kChannels; ++i) {
    if constexpr (kKind == 0)
      sum[i] = v[i] > sum[i] ? v[i] : sum[i];
    else if constexpr (kKind == 1)
      sum[i] += v[i];
    else
      sum[i] += powf(fabsf(v[i]), kP);
  }
}

/// Taps of a window at `start` that lie in [-begin, size + end).
DEVICE int PaddedCount(int start, int kernel, int dilation, int begin, int size, int end) {
  int count = 0;
  for (int k = 0; k < kernel; ++k) {
    const int at = start + k * dilation;
    count += at >= -begin && at < size + end;
  }
  return count;
}

DEVICE int Clamped(int at, int size) { return min(max(at, 0), size - 1); }

template <Type kHalf>
DEVICE uint4 HalfMaximum(const char* plane, int top, int left) {
  constexpr uint32 kLowest = kHalf == Type::kFloat16 ? 0xfc00fc00u : 0xff80ff80u;
  uint4 best = make_uint4(kLowest, kLowest, kLowest, kLowest);
#pragma unroll(kKH * kKW <= 25 ? kKH : 1)
  for (int kh = 0; kh < kKH; ++kh) {
    const char* row = plane + int64(Clamped(top + kh, kIH)) * kInRow;
#pragma unroll
    for (int kw = 0; kw < kKW; ++kw) {
      const uint4 v = *reinterpret_cast<const uint4*>(row + int64(Clamped(left + kw, kIW)) * kInPixel);
      best = make_uint4(MaxHalves<kHalf>(best.x, v.x), MaxHalves<kHalf>(best.y, v.y), MaxHalves<kHalf>(best.z, v.z),
                        MaxHalves<kHalf>(best.w, v.w));
    }
  }
  return best;
}

}  // namespace pool

extern "C" __global__ void __launch_bounds__(pool::kThreads) pool_kernel(const __grid_constant__ pool::Args args) {
  using namespace pool;
  const int64 item = int64(blockIdx.x) * kThreads + threadIdx.x;
  ptx::WaitForProducers();
  ptx::ReleaseConsumers();
  if (item >= int64(kN) * kOH * kOW * kBlocks) return;
  const int channel = int(item % kBlocks) * kChannels, x = int(item / kBlocks % kOW), y = int(item / kBlocks / kOW % kOH),
            n = int(item / kBlocks / kOW / kOH);
  const char* plane = args.input + int64(n) * kInImage + int64(channel) * kInChannel;
  char* const out = args.output + int64(n) * kOutImage + int64(y) * kOutRow + int64(x) * kOutPixel + int64(channel) * kOutChannel;
  const int top = y * kStrideH - kPadTop, left = x * kStrideW - kPadLeft;
  if constexpr (kIsHalfMaximum) {
    *reinterpret_cast<uint4*>(out) = HalfMaximum<kType>(plane, top, left);
    return;
  }
  float result[kChannels];
#pragma unroll
  for (int i = 0; i < kChannels; ++i) result[i] = kKind == 0 ? -__int_as_float(0x7f800000) : 0.f;
  int count = 0;
#pragma unroll
  for (int kh = 0; kh < kKH; ++kh) {
    const int iy = top + kh * kDilationH;
    if (unsigned(iy) >= unsigned(kIH)) continue;
#pragma unroll
    for (int kw = 0; kw < kKW; ++kw) {
      const int ix = left + kw * kDilationW;
      if (unsigned(ix) >= unsigned(kIW)) continue;
      float v[kChannels];
      Load(v, plane + int64(iy) * kInRow + int64(ix) * kInPixel);
      Take(result, v);
      ++count;
    }
  }
  if constexpr (kKind == 1) {
    if (kCountsPads)
      count = PaddedCount(top, kKH, kDilationH, kPadTop, kIH, kPadBottom) *
              PaddedCount(left, kKW, kDilationW, kPadLeft, kIW, kPadRight);
#pragma unroll
    for (int i = 0; i < kChannels; ++i) result[i] = count == 0 ? 0.f : result[i] / float(count);
  }
  if constexpr (kKind == 2) {
#pragma unroll
    for (int i = 0; i < kChannels; ++i) result[i] = powf(result[i], 1.f / kP);
  }
  Store(out, result);
}
