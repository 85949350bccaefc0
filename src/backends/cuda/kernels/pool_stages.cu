// Max pools that feed one another: a block takes some channels of a tile of pixels with the border that the last stage's
// windows reach into, and makes every stage from them in shared memory, along rows and then along columns. A window is
// cut off where what the block has ends: at the edge of the image that is what pooling does, and elsewhere what it makes
// wrong is as far from the tile as the stages to come reach. A maximum leaves NaN out.
#include "elements.cuh"

namespace pool_stages {
using namespace problem;

struct Args {
  const char* input;
  char* outputs[kStages];
};

constexpr int kWords = kVectorBytes < 4 ? 1 : kVectorBytes / 4;
constexpr int kAbove = kStages * kPadTop, kBelow = kStages * (kKH - 1 - kPadTop);
constexpr int kBefore = kStages * kPadLeft, kBehind = kStages * (kKW - 1 - kPadLeft);
constexpr int kMostPixels = kMostRows * kMostColumns;  ///< of a tile with its border

/// Some channels of a pixel; an element smaller than a word alone is in the low bits.
struct alignas(4 * kWords) Channels {
  uint32 words[kWords];
};

DEVICE Channels Load(const char* from) {
  if constexpr (kVectorBytes >= 4) return *reinterpret_cast<const Channels*>(from);
  Channels one;
  if constexpr (kVectorBytes == 2)
    one.words[0] = *reinterpret_cast<const uint16*>(from);
  else
    one.words[0] = *reinterpret_cast<const uint8*>(from);
  return one;
}

DEVICE void Store(char* to, const Channels& channels) {
  if constexpr (kVectorBytes >= 4)
    *reinterpret_cast<Channels*>(to) = channels;
  else if constexpr (kVectorBytes == 2)
    *reinterpret_cast<uint16*>(to) = uint16(channels.words[0]);
  else
    *reinterpret_cast<uint8*>(to) = uint8(channels.words[0]);
}

DEVICE uint32 Greater(uint32 a, uint32 b) {
  if constexpr (kType == Type::kFloat32) return __float_as_uint(fmaxf(__uint_as_float(a), __uint_as_float(b)));
  if constexpr (kType == Type::kUInt8) return __vmaxu4(a, b);
  return MaxHalves<kType == Type::kBFloat16 ? kType : Type::kFloat16>(a, b);
}

/// The greatest of kTaps from `first` on, kStep pixels apart, of a line of `count` of which the pixel is number `at`: taps
/// outside of the line read its end, which the window has too.
template <int kTaps, int kPad>
DEVICE Channels Greatest(const Channels* pixel, int at, int count, int step) {
  constexpr uint32 kLowest = kType == Type::kFloat32    ? 0xff800000u
                             : kType == Type::kFloat16  ? 0xfc00fc00u
                             : kType == Type::kBFloat16 ? 0xff80ff80u
                                                        : 0u;
  Channels best;
#pragma unroll
  for (int w = 0; w < kWords; ++w) best.words[w] = kLowest;
#pragma unroll
  for (int tap = 0; tap < kTaps; ++tap) {
    const int to = min(max(at + tap - kPad, 0), count - 1);
    const Channels v = pixel[(to - at) * step];
#pragma unroll
    for (int w = 0; w < kWords; ++w) best.words[w] = Greater(best.words[w], v.words[w]);
  }
  return best;
}

}  // namespace pool_stages

extern "C" __global__ void __launch_bounds__(pool_stages::kThreads)
    pool_stages_kernel(const __grid_constant__ pool_stages::Args args) {
  using namespace pool_stages;
  __shared__ Channels pixels[kMostPixels], row_maxima[kMostPixels];
  const int group = blockIdx.x % kGroups, tile_x = blockIdx.x / kGroups % kTilesX,
            tile_y = blockIdx.x / kGroups / kTilesX % kTilesY, n = blockIdx.x / kGroups / kTilesX / kTilesY;
  const int top = tile_y * kTileH, left = tile_x * kTileW, channel = group * (kVectorBytes / SizeOf(kType));
  const int y0 = max(top - kAbove, 0), h = min(top + kTileH + kBelow, kH) - y0;
  const int x0 = max(left - kBefore, 0), w = min(left + kTileW + kBehind, kW) - x0;
  ptx::WaitForProducers();
  ptx::ReleaseConsumers();
  const char* plane = args.input + n * kInImage + channel * kInChannel;
  for (int i = threadIdx.x; i < h * w; i += kThreads) pixels[i] = Load(plane + (y0 + i / w) * kInRow + (x0 + i % w) * kInPixel);
#pragma unroll
  for (int stage = 0; stage < kStages; ++stage) {
    __syncthreads();
    for (int i = threadIdx.x; i < h * w; i += kThreads) row_maxima[i] = Greatest<kKW, kPadLeft>(pixels + i, i % w, w, 1);
    __syncthreads();
    char* const out = args.outputs[stage] + n * kOutImage[stage] + channel * kOutChannel[stage];
    for (int i = threadIdx.x; i < h * w; i += kThreads) {
      const Channels best = Greatest<kKH, kPadTop>(row_maxima + i, i / w, h, w);
      pixels[i] = best;
      const int y = y0 + i / w, x = x0 + i % w;
      if (y >= top && y < top + kTileH && x >= left && x < left + kTileW)
        Store(out + y * kOutRow[stage] + x * kOutPixel[stage], best);
    }
  }
}
