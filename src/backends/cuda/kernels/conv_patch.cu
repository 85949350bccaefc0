// Convolution for small maps and few blocks: the block's whole slab of weights is fetched before the wait for the
// previous kernel, then the one patch of the input that its kTileH x kTileW output pixels read; no barrier after that.
// The order of the sums is that of conv_gemm.cu: both give the same bits for the same kWK.
#include "mma_tile.cuh"

namespace conv {

constexpr int kElement = kIsInt8 ? 1 : 2;
constexpr int kPixelBytes = kGroupIC * kElement;
constexpr int kPixelChunks = kPixelBytes / 16,
              kPixelPitch = (kPixelChunks | 1) * 16;  ///< odd chunks: no bank conflicts
constexpr int kWeightChunks = kTaps * kPixelChunks, kWeightPitch = (kWeightChunks | 1) * 16;
constexpr int kPatchH = (kTileH - 1) * problem::kStrideH + (problem::kKH - 1) * problem::kDilationH + 1;
constexpr int kPatchW = (kTileW - 1) * problem::kStrideW + (problem::kKW - 1) * problem::kDilationW + 1;
/// Columns of the patch are kept by x % stride, so that neighbouring output pixels read neighbouring places.
constexpr int kPhaseW = (kPatchW + problem::kStrideW - 1) / problem::kStrideW;
constexpr int kPatchPitch = kPhaseW * problem::kStrideW;  ///< pixels of a row
constexpr int kTilesX = (problem::kOW + kTileW - 1) / kTileW, kTilesY = (problem::kOH + kTileH - 1) / kTileH;
constexpr int kTapSteps = kPixelBytes / 32;
static_assert(kPixelBytes % 32 == 0 && kTileH * kTileW <= kBM, "tactic");

DEVICE constexpr int PatchPlace(int y, int x) {
  return y * kPatchPitch + x % problem::kStrideW * kPhaseW + x / problem::kStrideW;
}

struct TilePlace {
  int n, y, x;  ///< first output pixel

  DEVICE explicit TilePlace(int tile)
      : n(tile / kTilesX / kTilesY), y(tile / kTilesX % kTilesY * kTileH), x(tile % kTilesX * kTileW) {}
};

DEVICE void LoadWeights(uint32 to, const char* packed, int group, int first) {
  const char* base = packed + int64(group * kGroupOC + first) * kWeightChunks * 16;
#pragma unroll 4
  for (int i = threadIdx.x; i < kBN * kWeightChunks; i += kThreads) {
    const int row = i / kWeightChunks, chunk = i % kWeightChunks;
    const bool inside = first + row < kGroupOC;
    ptx::CopyAsync<16>(to + row * kWeightPitch + chunk * 16, base + (inside ? i * 16 : 0), inside ? 16 : 0);
  }
}

DEVICE void LoadPatch(uint32 to, const char* input, int group, const TilePlace& tile) {
  using I = problem::Input;
  const char* base = input + Offset(group) * kPixelBytes + Offset(tile.n) * Offset(I::kImage);
  const int y0 = tile.y * problem::kStrideH - problem::kPadTop, x0 = tile.x * problem::kStrideW - problem::kPadLeft;
#pragma unroll 4
  for (int i = threadIdx.x; i < kPatchH * kPatchW * kPixelChunks; i += kThreads) {
    const int chunk = i % kPixelChunks, x = i / kPixelChunks % kPatchW, y = i / kPixelChunks / kPatchW;
    const bool inside = unsigned(y0 + y) < problem::kIH && unsigned(x0 + x) < problem::kIW;
    const uint32 place = to + PatchPlace(y, x) * kPixelPitch + chunk * 16;
    if constexpr (kIsInt8 && problem::kInputZero != 0) {
      if (!inside) {
        constexpr uint32 kZeros = problem::kInputZero * 0x01010101u;
        ptx::StoreShared16(place, make_uint4(kZeros, kZeros, kZeros, kZeros));
        continue;
      }
    }
    const Offset offset = Offset(y0 + y) * Offset(I::kRow) + Offset(x0 + x) * Offset(I::kPixel) + chunk * 16;
    ptx::CopyAsync<16>(place, base + (inside ? offset : 0), inside ? 16 : 0);
  }
}

/// Reads operands of a warp's steps from patch and weights; step s is part s % kTapSteps of tap s / kTapSteps.
class StepReader {
 public:
  DEVICE StepReader(uint32 patch, uint32 weights, const WarpPlace& place) {
#pragma unroll
    for (int i = 0; i < MmaTile::kMs; ++i) {
      const int row = MmaTile::RowOfA(place) + 16 * i;
      const int y = row / kTileW % kTileH, x = row % kTileW;  // rows beyond the tile read some pixel of it
      a_[i] = patch + (y * problem::kStrideH * kPatchPitch + x) * kPixelPitch + MmaTile::HalfOfA(place) * 16;
    }
    b_ = weights + MmaTile::RowOfB(place) * kWeightPitch + MmaTile::HalfOfB(place) * 16;
  }

  DEVICE void Read(MmaTile::Fragments& f, int step) const {
    const int tap = step / kTapSteps, kh = tap / problem::kKW, kw = tap % problem::kKW;
    const uint32 a =
        PatchPlace(kh * problem::kDilationH, kw * problem::kDilationW) * kPixelPitch + step % kTapSteps * 32;
#pragma unroll
    for (int i = 0; i < MmaTile::kMs; ++i) ptx::LoadMatrices(f.a[i], a_[i] + a);
#pragma unroll
    for (int j = 0; j < MmaTile::kNs; ++j) ptx::LoadMatrices(f.b[j], b_ + j * 16 * kWeightPitch + step * 32);
  }

 private:
  uint32 a_[MmaTile::kMs], b_;
};

}  // namespace conv

extern "C" __global__ void __launch_bounds__(conv::kThreads) conv_patch(const __grid_constant__ ConvArgs args) {
  using namespace conv;
  extern __shared__ uint4 shared_memory[];
  float* constants = reinterpret_cast<float*>(shared_memory);
  char* operands = reinterpret_cast<char*>(shared_memory) + kConstantsBytes;
  const uint32 weights = ptx::SharedAddress(operands), patch = weights + kBN * kWeightPitch;
  constexpr int kTilesN = (kGroupOC + kBN - 1) / kBN;
  const int first_channel = blockIdx.x % kTilesN * kBN, group = blockIdx.y;
  const TilePlace at(blockIdx.x / kTilesN);

  LoadChannelConstants<kBN, kThreads>(constants, args.packed, group, first_channel);
  LoadWeights(weights, args.packed, group, first_channel);
  ptx::WaitForProducers();
  ptx::ReleaseConsumers();
  LoadPatch(patch, args.input, group, at);
  ptx::CommitCopies();

  MmaTile tile;
  const WarpPlace place;
  const StepReader reader(patch, weights, place);
  constexpr int kSteps = kTaps * kTapSteps;
  ptx::WaitCopies<0>();
  __syncthreads();
  MmaTile::Fragments now, next;
  if (place.k < kSteps) reader.Read(now, place.k);
#pragma unroll 2
  for (int step = place.k; step < kSteps; step += kWK) {
    if (step + kWK < kSteps) reader.Read(next, step + kWK);
    tile.Multiply(now);
    now = next;
  }
  tile.Finish(
      args, reinterpret_cast<Sum*>(operands), constants, group, first_channel,
      [&](int r) {
        const int y = at.y + r / kTileW, x = at.x + r % kTileW;
        const bool valid = r < kTileH * kTileW && y < problem::kOH && x < problem::kOW;
        if constexpr (kLinearOutput)
          return Pixel{0, 0, (at.n * problem::kOH + y) * problem::kOW + x, valid};
        else
          return Pixel{at.n, y, x, valid};
      },
      place);
}
