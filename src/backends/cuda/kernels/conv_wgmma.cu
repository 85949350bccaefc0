// Convolution by matrix instructions of warpgroups (wgmma: compute capability 9.0 alone), without im2col in shared
// memory. The output is walked as one line of positions, row by row with the pads that rows and images share, so that
// the input of a tap is the same line, shifted: a patch of the line in shared memory serves all taps of a tile by
// descriptors that begin at different pixels. With strides the line is kept once for every phase of rows and columns.
//
// No proxy fence stands between cp.async and the wgmma that reads what it wrote: CUTLASS's kernels with such loads have
// none either, and a fence of the readers would wait for their stores of the tile before.
//
// Warpgroup 0 fills a ring of patches (three or four warps, cp.async: views, tails and zero points as everywhere) and
// the weights (bulk copies; all of them once, or through a ring of their own, tap by tap). The other warpgroups take
// the block's tiles in turns, so that one multiplies while another finishes its tile: each begins when the one before
// has seen all its operands, since a barrier tells phases that are two apart from each other no more. Blocks walk over
// the tiles of one slab of channels.
//
// The order of a sum: pieces of kSteps * 32 bytes of channels, in each the taps, in each the steps of 32 bytes: it
// depends on the problem alone. conv_source.h writes the constants and ptx::MultiplyAsync before this text.
#include "fragment.cuh"

namespace conv {
using namespace tactic;

constexpr int kElement = kIsInt8 ? 1 : 2;
constexpr int kGroup = 128;  ///< threads of a warpgroup
constexpr int kThreads = kGroup * (1 + kConsumers);
constexpr int kTall = kBM / 64;          ///< matrix instructions above each other
constexpr int kColumns = 2 * kSteps;     ///< of 16 bytes of channels in a piece
constexpr int kSlabs = kPieces * kTaps;  ///< of weights: a tap of a piece
constexpr bool kStaysLoaded = kWeightStages == 0;
constexpr int kWeightSlots = kStaysLoaded ? kSlabs : kWeightStages;
constexpr int kWeightSlotBytes = kColumns * kBN * 16, kPatchBytes = kColumns * kPlaneBytes;
constexpr int kConstantsBytes = 3 * kBN * 4, kBarrierBytes = 16 * (kStages + kWeightSlots + 2);
constexpr int kLoaders = kStaysLoaded ? 128 : 96;  ///< threads that fill patches; else a warp streams weights
constexpr int kTilesM = (kPositions + kBM - 1) / kBM, kTilesN = (kGroupOC + kBN - 1) / kBN;
constexpr bool kHasZeroPoint = kIsInt8 && problem::kInputZero != 0;

/// Registers a thread at launch, and what warpgroups make of them.
constexpr int kLaunchRegisters = 65536 / (kThreads * kResidents) / 8 * 8;
constexpr bool kMovesRegisters = kLaunchRegisters < 240;
constexpr int kProducerRegisters = 56;
constexpr int kLeftRegisters = (kLaunchRegisters * (1 + kConsumers) - kProducerRegisters) / kConsumers / 8 * 8;
constexpr int kConsumerRegisters = kLeftRegisters < 240 ? kLeftRegisters : 240;

/// Where things lie in shared memory.
struct Places {
  uint32 barriers, weights, patches;

  DEVICE explicit Places(const void* shared)
      : barriers(ptx::SharedAddress(shared) + kConstantsBytes),
        weights(barriers + kBarrierBytes),
        patches(weights + kWeightSlots * kWeightSlotBytes) {}
  DEVICE uint32 PatchFull(int slot) const { return barriers + 8 * slot; }
  DEVICE uint32 PatchEmpty(int slot) const { return barriers + 8 * (kStages + slot); }
  DEVICE uint32 WeightFull(int slot) const { return barriers + 8 * (2 * kStages + slot); }
  DEVICE uint32 WeightEmpty(int slot) const { return barriers + 8 * (2 * kStages + kWeightSlots + slot); }
  DEVICE uint32 Turn(int consumer) const { return barriers + 8 * (2 * (kStages + kWeightSlots) + consumer); }
  DEVICE uint32 Patch(int slot) const { return patches + slot * kPatchBytes; }
  DEVICE uint32 Weights(int slot) const { return weights + slot * kWeightSlotBytes; }
};

DEVICE void InitBarriers(const Places& at) {
  constexpr int kWarps = kGroup / 32;  // each says that the slot is free
  for (int i = 0; i < kStages; ++i) {
    ptx::InitBarrier(at.PatchFull(i), kHasZeroPoint ? 2 * kLoaders : kLoaders);
    ptx::InitBarrier(at.PatchEmpty(i), kWarps);
  }
  for (int i = 0; i < kWeightSlots; ++i) {
    ptx::InitBarrier(at.WeightFull(i), 1);
    ptx::InitBarrier(at.WeightEmpty(i), kWarps);
  }
  for (int i = 0; i < kConsumers; ++i) ptx::InitBarrier(at.Turn(i), kWarps);
  ptx::FenceBarriers();
}

/// The tiles of a block: kTilesN neighbours share their pixels.
struct Walk {
  int first, stride, channel;
  DEVICE Walk() : first(blockIdx.x / kTilesN), stride(gridDim.x / kTilesN), channel(blockIdx.x % kTilesN * kBN) {}
};

/// A place of the line, of kPitchW positions a row and kPitchH rows an image.
struct LinePlace {
  int n, y, x;
  DEVICE explicit LinePlace(int position) {
    constexpr bool kOneRow = kPitchH == 1 && problem::kN == 1;
    const int row = kOneRow ? 0 : position / kPitchW;
    x = position - row * kPitchW;
    n = problem::kN == 1 ? 0 : row / kPitchH;
    y = row - n * kPitchH;
  }
};

/// Eight neighbouring threads write the same column of eight neighbouring pixels, 128 bytes in a row: written across
/// columns, each 16 bytes took a cycle of shared memory of its own, and the loads were what most layers waited for.
class PatchLoader {
 public:
  DEVICE PatchLoader(const char* input, int thread) : column_(thread / 8 % kColumns) {
    const int row = thread / 8 / kColumns * 8;
    row_ = row < kRowStep ? row + thread % 8 : kPatchPixels;
    base_ = input + column_ * 16;
  }

  /// Piece `piece` of the patch of the tile that begins at `first`.
  DEVICE void Load(uint32 to, int first, int piece) const {
    const int left = kGroupIC * kElement - (piece * kColumns + column_) * 16;
    const char* base = base_ + piece * kColumns * 16;
    const int valid = kGroupIC * kElement % (kColumns * 16) == 0 ? 16 : max(0, min(16, left));
    if (valid <= 0) base = base_ - column_ * 16;  // a legal address, of which nothing is read
#pragma unroll
    for (int phase = 0; phase < kPhases; ++phase) {
      const uint32 column = to + column_ * kPlaneBytes + kPhaseFirst[phase] * 16;
#pragma unroll 4
      for (int i = row_; i < kPhaseCount[phase]; i += kRowStep)
        LoadPixel(column + i * 16, base, first + i, kPhaseY[phase], kPhaseX[phase], valid);
    }
  }

 private:
  static constexpr int kRowStep = kLoaders / 8 / kColumns * 8;
  static_assert(kRowStep > 0, "a quarter of a warp for each column");

  DEVICE static void LoadPixel(uint32 to, const char* base, int position, int phase_y, int phase_x, int valid) {
    using I = problem::Input;
    const LinePlace at(position);
    const int y = at.y * problem::kStrideH + phase_y - problem::kPadTop;
    const int x = at.x * problem::kStrideW + phase_x - problem::kPadLeft;
    const bool inside = unsigned(y) < problem::kIH && unsigned(x) < problem::kIW && at.n < problem::kN;
    if constexpr (kHasZeroPoint) {
      if (!inside) {
        constexpr uint32 kZeros = problem::kInputZero * 0x01010101u;
        ptx::StoreShared16(to, make_uint4(kZeros, kZeros, kZeros, kZeros));
        return;
      }
    }
    const Offset offset = Offset(at.n) * Offset(I::kImage) + y * Offset(I::kRow) + x * Offset(I::kPixel);
    ptx::CopyAsync<16>(to, base + (inside ? offset : 0), inside ? valid : 0);
  }

  const char* base_;
  int row_, column_;
};

/// Slab `slab` of the weights, [piece][tap][OC / 8][column][8] of 16 bytes in memory, to a slot, by one thread.
DEVICE void LoadWeights(const Places& at, int slot, const char* packed, int slab, int channel) {
  const int bytes = min(kBN, kPackedOC - channel) * kColumns * 16;
  ptx::ArriveExpecting(at.WeightFull(slot), bytes);
  ptx::CopyBulk(at.Weights(slot), packed + (int64(slab) * kPackedOC + channel) * kColumns * 16, bytes,
                at.WeightFull(slot));
}

DEVICE int TilesOf(const Walk& walk) { return (kTilesM - walk.first + walk.stride - 1) / walk.stride; }

DEVICE void StreamWeights(const ConvArgs& args, const Places& at, const Walk& walk) {
  const int count = TilesOf(walk) * kSlabs;
  for (int i = 0; i < count; ++i) {
    const int slot = i % kWeightSlots;
    ptx::WaitBarrier(at.WeightEmpty(slot), i / kWeightSlots & 1 ^ 1);
    LoadWeights(at, slot, args.packed, i % kSlabs, walk.channel);
  }
}

DEVICE void FillPatches(const ConvArgs& args, const Places& at, const Walk& walk) {
  const PatchLoader loader(args.input, threadIdx.x);
  int i = 0;
  for (int tile = walk.first; tile < kTilesM; tile += walk.stride)
    for (int piece = 0; piece < kPieces; ++piece, ++i) {
      const int slot = i % kStages;
      ptx::WaitBarrier(at.PatchEmpty(slot), i / kStages & 1 ^ 1);
      loader.Load(at.Patch(slot), tile * kBM, piece);
      ptx::ArriveWhenCopied(at.PatchFull(slot));
      if constexpr (kHasZeroPoint) {
        ptx::FenceAsyncReads();
        ptx::Arrive(at.PatchFull(slot));
      }
    }
  ptx::CommitCopies();
  ptx::WaitCopies<0>();
}

DEVICE void Produce(const ConvArgs& args, const Places& at, const Walk& walk) {
  const bool is_last_warp = ptx::Uniform(threadIdx.x / 32) == kGroup / 32 - 1;
  const bool loads_weights = is_last_warp && threadIdx.x % 32 == 0;  // alone: others could be a phase behind
  if constexpr (kStaysLoaded) {
    if (loads_weights)
      for (int slab = 0; slab < kSlabs; ++slab) LoadWeights(at, slab, args.packed, slab, walk.channel);
  } else if (is_last_warp) {
    if (loads_weights) StreamWeights(args, at, walk);
    return;
  }
  ptx::WaitForProducers();
  FillPatches(args, at, walk);
}

class WgmmaTile {
 public:
  /// One tap of a piece: patch and weights of the slots.
  DEVICE void Multiply(uint32 patch, uint32 weights, int place, int accumulate) {
    const uint64 a = ptx::OperandAt(patch, kPlaneBytes, 128) + place;
    const uint64 b = ptx::OperandAt(weights, 128, kColumns * 128);
#pragma unroll
    for (int step = 0; step < kSteps; ++step)
#pragma unroll
      for (int i = 0; i < kTall; ++i)
        ptx::MultiplyAsync(sums_[i], a + (step * 2 * kPlaneBytes / 16 + 64 * i), b + step * 2 * 128 / 16,
                           accumulate | step);
  }
  DEVICE void Pin() {
#pragma unroll
    for (int i = 0; i < kTall; ++i) ptx::PinSums(sums_[i]);
  }

  DEVICE void Finish(const ConvArgs& args, const float* constants, int first, int channel) const {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4;
#pragma unroll
    for (int i = 0; i < kTall; ++i) {
      const int position = first + 64 * i + 16 * warp + lane / 4;
      const Pixel pixels[2] = {PixelAt(position), PixelAt(position + 8)};
      FinishFragment<kBN, kBN / 8>(args, constants, pixels, channel, kGroupOC - channel,
                                   [&](int eight, int e) { return sums_[i][4 * eight + e]; });
    }
  }

 private:
  DEVICE static Pixel PixelAt(int position) {
    const LinePlace at(position);
    const bool valid = at.x < problem::kOW && at.y < problem::kOH && at.n < problem::kN;
    if constexpr (kLinearOutput) return {0, 0, (at.n * problem::kOH + at.y) * problem::kOW + at.x, valid};
    return {at.n, at.y, at.x, valid};
  }

  Sum sums_[kTall][kBN / 2];
};

/// A warp has read the slot for the last time.
DEVICE void Release(uint32 barrier) {
  if (threadIdx.x % 32 == 0) ptx::Arrive(barrier);
}

/// Tile `index` of the block is its consumer's next.
DEVICE void WaitForTurn(const Places& at, int index) {
  const int consumer = index % kConsumers, round = index / kConsumers;
  ptx::WaitBarrier(at.Turn(consumer), consumer == 0 ? round & 1 ^ 1 : round & 1);
}
DEVICE void PassTurn(const Places& at, int index) { Release(at.Turn((index + 1) % kConsumers)); }

/// The products of tile `index` of the block, with all weights in place: a piece at a time.
DEVICE void MultiplyPieces(WgmmaTile& tile, const Places& at, int index) {
#pragma unroll 1
  for (int piece = 0; piece < kPieces; ++piece) {
    const int i = index * kPieces + piece, slot = i % kStages;
    ptx::WaitBarrier(at.PatchFull(slot), i / kStages & 1);
    ptx::BeginMultiplies();
#pragma unroll(kTaps <= 9 ? kTaps : 1)
    for (int tap = 0; tap < kTaps; ++tap)
      tile.Multiply(at.Patch(slot), at.Weights(piece * kTaps + tap), kTapPlace[tap], piece | tap);
    ptx::CommitMultiplies();
    if (piece == 0) continue;
    ptx::WaitMultiplies<1>();
    Release(at.PatchEmpty((i - 1) % kStages));
  }
  PassTurn(at, index);
  ptx::WaitMultiplies<0>();
  tile.Pin();
  Release(at.PatchEmpty((index * kPieces + kPieces - 1) % kStages));
}

/// The same with weights that come and go: a tap at a time.
DEVICE void MultiplyTaps(WgmmaTile& tile, const Places& at, int index) {
  int b = index * kSlabs;
#pragma unroll 1
  for (int piece = 0; piece < kPieces; ++piece) {
    const int i = index * kPieces + piece, slot = i % kStages;
    ptx::WaitBarrier(at.PatchFull(slot), i / kStages & 1);
#pragma unroll(kTaps <= 9 ? kTaps : 1)
    for (int tap = 0; tap < kTaps; ++tap, ++b) {
      const int b_slot = b % kWeightSlots;
      ptx::WaitBarrier(at.WeightFull(b_slot), b / kWeightSlots & 1);
      ptx::BeginMultiplies();
      tile.Multiply(at.Patch(slot), at.Weights(b_slot), kTapPlace[tap], piece | tap);
      ptx::CommitMultiplies();
      if ((piece | tap) == 0) continue;
      ptx::WaitMultiplies<1>();
      Release(at.WeightEmpty((b - 1) % kWeightSlots));
      if (tap == 0) Release(at.PatchEmpty((i - 1) % kStages));
    }
  }
  PassTurn(at, index);
  ptx::WaitMultiplies<0>();
  tile.Pin();
  Release(at.WeightEmpty((b - 1) % kWeightSlots));
  Release(at.PatchEmpty((index * kPieces + kPieces - 1) % kStages));
}

DEVICE void Consume(const ConvArgs& args, const float* constants, const Places& at, const Walk& walk) {
  ptx::WaitForProducers();
  if constexpr (kStaysLoaded)
    for (int slab = 0; slab < kSlabs; ++slab) ptx::WaitBarrier(at.WeightFull(slab), 0);
  for (int index = ptx::Uniform(threadIdx.x / kGroup) - 1;; index += kConsumers) {
    const int number = walk.first + index * walk.stride;
    if (number >= kTilesM) break;
    WgmmaTile tile;
    WaitForTurn(at, index);
    if constexpr (kStaysLoaded)
      MultiplyPieces(tile, at, index);
    else
      MultiplyTaps(tile, at, index);
    tile.Finish(args, constants, number * kBM, walk.channel);
  }
}

}  // namespace conv

extern "C" __global__ void __launch_bounds__(conv::kThreads, tactic::kResidents)
    conv_wgmma(const __grid_constant__ ConvArgs args) {
  using namespace conv;
  extern __shared__ uint4 shared_memory[];
  float* constants = reinterpret_cast<float*>(shared_memory);
  const Places at(shared_memory);
  const Walk walk;
  if (threadIdx.x == 0) InitBarriers(at);
  LoadChannelConstants<kBN, kThreads>(constants, args.packed, 0, walk.channel);
  __syncthreads();
  ptx::ReleaseConsumers();
  if (ptx::Uniform(threadIdx.x / kGroup) == 0) {
    if constexpr (kMovesRegisters) ptx::ShrinkRegisters<kProducerRegisters>();
    Produce(args, at, walk);
  } else {
    if constexpr (kMovesRegisters) ptx::GrowRegisters<kConsumerRegisters>();
    Consume(args, constants, at, walk);
  }
}
