// Convolution as an implicit matrix product: rows are output pixels, columns output channels, K runs over taps and,
// within a tap, input channels. Tiles of the input (gathered by address, never stored as im2col) and of the weights go
// through a ring of kStages in shared memory. Weights are fetched before the wait for the previous kernel.
// conv_source.h writes the namespaces `problem` and `tactic` before this text.
#include "mma_tile.cuh"
#include "simt_tile.cuh"

namespace conv {

constexpr int kElement = problem::kCompute == Type::kFloat32 ? 4 : kIsInt8 ? 1 : 2;
constexpr int kTapBytes = problem::kTapBytes;  ///< of K: channels of a tap, padded where chunks are copied whole
constexpr int kKBytes = (kTaps * kTapBytes + 15) / 16 * 16;
constexpr int kSlabs = (kKBytes + kBK - 1) / kBK;  ///< kBK is in bytes
constexpr int kChunks = kBK / 16, kRowStep = kThreads / kChunks;
constexpr int kRowsA = (kBM + kRowStep - 1) / kRowStep, kRowsB = (kBN + kRowStep - 1) / kRowStep;
constexpr int kSlotBytes = (kBM + kBN) * kBK;
constexpr int kStepsPerWarp = kBK / 32 / kWK;
static_assert(kBK % (32 * kWK) == 0 && kRowStep % 8 == 0 && kTaps <= 64, "tactic");

template <bool kMany>
struct MaskOf {
  using Type = uint32;
};
template <>
struct MaskOf<true> {
  using Type = uint64;
};
using TapMask = MaskOf<(kTaps > 32)>::Type;

template <bool kFloat32>
struct TileOf {
  using Type = MmaTile;
};
template <>
struct TileOf<true> {
  using Type = SimtTile;
};
using Tile = TileOf<problem::kCompute == Type::kFloat32>::Type;

/// Offset of a tap from the window's first pixel.
DEVICE Offset TapOffset(int tap) {
  return Offset(tap / problem::kKW * problem::kDilationH) * Offset(problem::Input::kRow) +
         Offset(tap % problem::kKW * problem::kDilationW) * Offset(problem::Input::kPixel);
}

/// The rows of the input tile that a thread copies: chunk `column` of rows row, row + kRowStep, ...
class InputLoader {
 public:
  DEVICE InputLoader(const char* input, int group, int first_row, int row, int column) : column_(column) {
    base_ = input + Offset(group * kGroupIC) * Offset(problem::Input::kChannel);
#pragma unroll
    for (int i = 0; i < kRowsA; ++i) Locate(i, first_row + row + i * kRowStep, row + i * kRowStep < kBM);
  }

  /// Slab `slab` of K to shared memory at `to` (this thread's first chunk).
  DEVICE void Load(uint32 to, int slab) const {
    if constexpr (problem::kGather)
      LoadGathered(to, slab);
    else
      LoadChunks(to, slab);
  }

 private:
  DEVICE void Locate(int i, int m, bool in_tile) {
    offsets_[i] = 0;
    masks_[i] = 0;
    if (!in_tile || m >= kRows) return;
    const int row = m / problem::kOW;
    const int y = row % problem::kOH * problem::kStrideH - problem::kPadTop;
    const int x = m % problem::kOW * problem::kStrideW - problem::kPadLeft;
    using I = problem::Input;
    offsets_[i] = Offset(row / problem::kOH) * Offset(I::kImage) + y * Offset(I::kRow) + x * Offset(I::kPixel);
#pragma unroll
    for (int kh = 0; kh < problem::kKH; ++kh)
#pragma unroll
      for (int kw = 0; kw < problem::kKW; ++kw)
        if (unsigned(y + kh * problem::kDilationH) < problem::kIH &&
            unsigned(x + kw * problem::kDilationW) < problem::kIW)
          masks_[i] |= TapMask(1) << (kh * problem::kKW + kw);
  }

  DEVICE void LoadChunks(uint32 to, int slab) const {
    const int k = slab * kBK + column_ * 16, tap = k / kTapBytes, in_tap = k % kTapBytes;
    const Offset offset = TapOffset(tap) + in_tap;
    const int valid = min(16, kGroupIC * kElement - in_tap);  // of the chunk; the tap's padding is zeros
#pragma unroll
    for (int i = 0; i < kRowsA; ++i) {
      if (kBM % kRowStep != 0 && i == kRowsA - 1 && !RowInTile()) break;
      const bool inside = k < kKBytes && (masks_[i] >> tap & 1);
      const uint32 place = to + i * kRowStep * kBK;
      if constexpr (kIsInt8 && problem::kInputZero != 0) {
        if (!inside) {
          constexpr uint32 kZeros = problem::kInputZero * 0x01010101u;
          ptx::StoreShared16(place, make_uint4(kZeros, kZeros, kZeros, kZeros));
          continue;
        }
      }
      const char* from = base_ + (inside ? offsets_[i] + offset : 0);
      if constexpr (problem::kInputAlign == 16) {
        ptx::CopyAsync<16>(place, from, inside ? valid : 0);
      } else {
        constexpr int kPiece = problem::kInputAlign;
#pragma unroll
        for (int j = 0; j < 16; j += kPiece) {
          const int bytes = inside ? max(0, min(kPiece, valid - j)) : 0;
          ptx::CopyAsync<kPiece>(place + j, bytes > 0 ? from + j : base_, bytes);
        }
      }
    }
  }

  /// Element by element, for images of few channels, other element types and any strides.
  DEVICE void LoadGathered(uint32 to, int slab) const {
    constexpr int kElements = 16 / kElement;
    const int k = (slab * kBK + column_ * 16) / kElement;
#pragma unroll
    for (int i = 0; i < kRowsA; ++i) {
      if (kBM % kRowStep != 0 && i == kRowsA - 1 && !RowInTile()) break;
      uint32 words[4] = {};
#pragma unroll
      for (int e = 0; e < kElements; ++e) {
        const int tap = (k + e) / kGroupIC, channel = (k + e) % kGroupIC;
        float value = kIsInt8 ? float(problem::kInputZero) : 0.f;
        if (k + e < kTaps * kGroupIC && (masks_[i] >> tap & 1))
          value = LoadElement<problem::Input::kType>(base_ + offsets_[i] + TapOffset(tap) +
                                                     Offset(channel) * Offset(problem::Input::kChannel));
        words[e * kElement / 4] |= ElementBits<problem::kCompute>(value) << (e * kElement % 4 * 8);
      }
      ptx::StoreShared16(to + i * kRowStep * kBK, make_uint4(words[0], words[1], words[2], words[3]));
    }
  }

  DEVICE static bool RowInTile() { return threadIdx.x / kChunks + (kRowsA - 1) * kRowStep < kBM; }

  const char* base_;
  int column_;
  Offset offsets_[kRowsA];
  TapMask masks_[kRowsA];
};

/// The same for the weights, [OC][kKBytes] in memory.
class WeightLoader {
 public:
  DEVICE WeightLoader(const char* packed, int group, int first, int row, int column)
      : base_(packed + int64(group * kGroupOC + first) * kKBytes),
        row_(row),
        left_(kGroupOC - first),
        column_(column) {}

  DEVICE void Load(uint32 to, int slab) const {
#pragma unroll
    for (int i = 0; i < kRowsB; ++i) {
      const int row = row_ + i * kRowStep, k = slab * kBK + column_ * 16;
      if (kBN % kRowStep != 0 && row >= kBN) break;
      const bool inside = row < left_ && k < kKBytes;
      ptx::CopyAsync<16>(to + i * kRowStep * kBK, base_ + (inside ? row * kKBytes + k : 0), inside ? 16 : 0);
    }
  }

 private:
  const char* base_;
  int row_, left_, column_;
};

}  // namespace conv

extern "C" __global__ void __launch_bounds__(conv::kThreads) conv_gemm(const __grid_constant__ ConvArgs args) {
  using namespace conv;
  extern __shared__ uint4 shared_memory[];
  float* constants = reinterpret_cast<float*>(shared_memory);
  char* ring = reinterpret_cast<char*>(shared_memory) + kConstantsBytes;
  const uint32 ring_a = ptx::SharedAddress(ring), ring_b = ring_a + kBM * kBK;
  constexpr int kTilesN = (kGroupOC + kBN - 1) / kBN;
  const int first_channel = blockIdx.x % kTilesN * kBN, first_row = blockIdx.x / kTilesN * kBM, group = blockIdx.y;

  LoadChannelConstants<kBN, kThreads>(constants, args.packed, group, first_channel);
  const int row = threadIdx.x / kChunks, column = threadIdx.x % kChunks;
  const uint32 mine = SwizzledChunk<kBK>(row, column);
  const WeightLoader weights(args.packed, group, first_channel, row, column);
  const InputLoader input(args.input, group, first_row, row, column);
#pragma unroll
  for (int s = 0; s < kStages - 1; ++s)
    if (s < kSlabs) weights.Load(ring_b + s * kSlotBytes + mine, s);
  ptx::WaitForProducers();
  ptx::ReleaseConsumers();
#pragma unroll
  for (int s = 0; s < kStages - 1; ++s) {
    if (s < kSlabs) input.Load(ring_a + s * kSlotBytes + mine, s);
    ptx::CommitCopies();
  }

  Tile tile;
  const WarpPlace place;
  int slot = 0, next_slot = kStages - 1;
  for (int slab = 0; slab < kSlabs; ++slab) {
    ptx::WaitCopies<kStages - 2>();
    __syncthreads();
    if (slab + kStages - 1 < kSlabs) {
      input.Load(ring_a + next_slot * kSlotBytes + mine, slab + kStages - 1);
      weights.Load(ring_b + next_slot * kSlotBytes + mine, slab + kStages - 1);
    }
    ptx::CommitCopies();
    next_slot = next_slot + 1 == kStages ? 0 : next_slot + 1;
#pragma unroll
    for (int s = 0; s < kStepsPerWarp; ++s)
      tile.Step<kBK>(ring_a + slot * kSlotBytes, ring_b + slot * kSlotBytes, s * kWK + place.k, place);
    slot = slot + 1 == kStages ? 0 : slot + 1;
  }
  ptx::WaitCopies<0>();
  tile.Finish(
      args, reinterpret_cast<Sum*>(ring), constants, group, first_channel,
      [&](int r) { return PixelOfRow(first_row + r, first_row + r < kRows); }, place);
}
