// Convolution of an image of at most four channels with an even stride (the first of a network): a block converts its
// patch, whatever its element type and strides, to half with four channels a pixel in shared memory. There a row of
// the window, rounded up to four pixels, is a row of the operand as it lies: neighbouring outputs overlap, nothing is
// gathered. The order of a sum: rows of the window, in each steps of four pixels by four channels; it depends on the
// problem alone. conv_source.h writes the namespaces `problem` and `tactic` before this text.
#include "fragment.cuh"

namespace conv {
using namespace tactic;

constexpr int kThreads = 128;
constexpr int kRowSteps = (problem::kKW + 3) / 4;  ///< of 32 bytes of K in a row of the window
constexpr int kSteps = problem::kKH * kRowSteps, kEights = kBN / 8;
constexpr int kPatchH = (kTileH - 1) * problem::kStrideH + (problem::kKH - 1) * problem::kDilationH + 1;
constexpr int kPatchW = (kTileW - 1) * problem::kStrideW + 4 * kRowSteps;
constexpr int kPatchPixels = kPatchH * kPatchW, kPixelBytes = 8;
constexpr int kTilesX = (problem::kOW + kTileW - 1) / kTileW, kTilesY = (problem::kOH + kTileH - 1) / kTileH;
constexpr int kTilesN = (problem::kOC + kBN - 1) / kBN;
constexpr int kStripsX = kTileW / 16, kStrips = kTileH * kStripsX;  ///< of 16 output pixels
constexpr int kBatch = 6;                                           ///< pixels that a thread loads at once
static_assert(problem::kStrideW % 2 == 0 && problem::kDilationW == 1 && problem::kIC <= 4 && kTileW % 16 == 0,
              "tactic");

/// The weights of a block, as matrix instructions take them: in registers from before the wait on.
struct Weights {
  uint32 parts[kSteps][kEights][2];

  DEVICE Weights(const char* packed, int first) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int step = 0; step < kSteps; ++step)
#pragma unroll
      for (int j = 0; j < kEights; ++j)
#pragma unroll
        for (int h = 0; h < 2; ++h) {
          const int row = first + 8 * j + lane / 4;
          const char* at = packed + ((row * kSteps + step) * 16 + 8 * h + 2 * (lane % 4)) * 2;
          parts[step][j][h] = row < problem::kOC ? *reinterpret_cast<const uint32*>(at) : 0;
        }
  }
};

/// Pixels of the patch from (n, y0, x0) on to shared memory.
DEVICE void LoadPatch(uint2* patch, const char* input, int n, int y0, int x0) {
  using I = problem::Input;
  const char* base = input + Offset(n) * Offset(I::kImage);
#pragma unroll 1
  for (int first = threadIdx.x; first < kPatchPixels; first += kBatch * kThreads) {
    float v[kBatch][4] = {};
#pragma unroll
    for (int b = 0; b < kBatch; ++b) {
      const int i = first + b * kThreads, y = y0 + i / kPatchW, x = x0 + i % kPatchW;
      const bool inside = i < kPatchPixels && unsigned(y) < problem::kIH && unsigned(x) < problem::kIW;
#pragma unroll
      for (int c = 0; c < problem::kIC; ++c)
        if (inside)
          v[b][c] = LoadElement<I::kType>(base + y * Offset(I::kRow) + x * Offset(I::kPixel) + c * Offset(I::kChannel));
    }
#pragma unroll
    for (int b = 0; b < kBatch; ++b)
      if (first + b * kThreads < kPatchPixels)
        patch[first + b * kThreads] = make_uint2(PackHalves<problem::kCompute>(v[b][0], v[b][1]),
                                                 PackHalves<problem::kCompute>(v[b][2], v[b][3]));
  }
}

}  // namespace conv

extern "C" __global__ void __launch_bounds__(conv::kThreads) conv_image(const __grid_constant__ ConvArgs args) {
  using namespace conv;
  extern __shared__ uint4 shared_memory[];
  float* constants = reinterpret_cast<float*>(shared_memory);
  uint2* patch = reinterpret_cast<uint2*>(constants + 3 * kBN);
  const int first = blockIdx.x % kTilesN * kBN, tile = blockIdx.x / kTilesN;
  const int n = tile / kTilesX / kTilesY, y0 = tile / kTilesX % kTilesY * kTileH, x0 = tile % kTilesX * kTileW;

  LoadChannelConstants<kBN, kThreads>(constants, args.packed, 0, first);
  const Weights weights(args.packed, first);
  ptx::WaitForProducers();
  ptx::ReleaseConsumers();
  LoadPatch(patch, args.input, n, y0 * problem::kStrideH - problem::kPadTop,
            x0 * problem::kStrideW - problem::kPadLeft);
  __syncthreads();

  const int lane = threadIdx.x % 32;
#pragma unroll 1
  for (int strip = threadIdx.x / 32; strip < kStrips; strip += kThreads / 32) {
    const int y = strip / kStripsX, x = strip % kStripsX * 16;
    const uint32 at = ptx::SharedAddress(patch) + lane / 16 * 16 +
                      (y * problem::kStrideH * kPatchW + (x + lane % 16) * problem::kStrideW) * kPixelBytes;
    float sums[kEights][4] = {};
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      uint32 a[4];
      const int row = step / kRowSteps * problem::kDilationH;
      ptx::LoadMatrices(a, at + (row * kPatchW + step % kRowSteps * 4) * kPixelBytes);
#pragma unroll
      for (int j = 0; j < kEights; ++j) MultiplyStep(sums[j], a, weights.parts[step][j][0], weights.parts[step][j][1]);
    }
    const auto pixel_of = [&](int px) {
      const bool valid = y0 + y < problem::kOH && x0 + px < problem::kOW;
      if constexpr (kLinearOutput) return Pixel{0, 0, (n * problem::kOH + y0 + y) * problem::kOW + x0 + px, valid};
      return Pixel{n, y0 + y, x0 + px, valid};
    };
    const Pixel pixels[2] = {pixel_of(x + lane / 4), pixel_of(x + lane / 4 + 8)};
    FinishFragment<kBN, kEights>(args, constants, pixels, first, problem::kOC - first,
                                 [&](int eight, int e) { return sums[eight][e]; });
  }
}
