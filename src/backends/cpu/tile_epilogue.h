#pragma once
#include <optional>
#include <vector>

#include "backends/cpu/activation.h"
#include "backends/cpu/jit_code.h"
#include "backends/cpu/word_silu.h"
#include "ir/types.h"
#include "ops/quantization.h"

namespace tenon::cpu {

inline constexpr int kMaxStoreTargets = 4;
/// Kernel rows of a depthwise convolution that dots can take.
inline constexpr int kMostDotRows = 8;

/// What a generated tile function is called with. The function advances nothing of it but `targets`.
struct TileArgs {
  const void* input = nullptr;     ///< pixel 0, first valid kernel row; may point before the row where taps are skipped
  const void* weights = nullptr;   ///< packed, first valid kernel row
  const float* bias = nullptr;     ///< one per output channel, padded to whole vectors
  const void* starts = nullptr;    ///< INT8: where the tile's vectors of first sums begin
  const void* residual = nullptr;  ///< pixel 0 of the view that is added, where there is one
  int64_t tiles = 0;               ///< tiles beside each other, at least 1
  int64_t kernel_rows = 0;         ///< valid kernel rows, 0 where all of them are outside the image
  void* targets[kMaxStoreTargets] = {};
  /// Depthwise dots: for every kernel row the mask of its 32-bit lanes in a vector of four rows, and that of the bytes
  /// of a partial vector; 0 where the row is outside of the image.
  uint16_t row_masks[kMostDotRows] = {}, tail_masks[kMostDotRows] = {};
  int64_t row_offsets[kMostDotRows] = {};  ///< bytes from `input` to the row, or to one that is inside
};

/// The function of one tile: all TileArgs in, nothing out.
using TileFunction = void (*)(TileArgs*);

/// A view that a tile is stored to. Every pixel goes to all `offsets`: {0} for a plain output, four places for a
/// nearest upsample by 2 that is written at once.
struct StoreTarget {
  DType dtype = DType::kFloat32;  ///< kFloat32, kBFloat16 (AVX512_BF16) or kUInt8
  int64_t pixel_bytes = 0;        ///< from one pixel of the tile to the next
  std::vector<int64_t> offsets = {0};
};

struct ResidualSource {
  DType dtype = DType::kFloat32;  ///< kFloat32, kBFloat16 or kUInt8
  int64_t pixel_bytes = 0;
  AffineScale scale = {};  ///< of kUInt8
};

/// What the accumulators of a tile hold when its products are summed.
enum class Sums : uint8_t {
  kBiased,         ///< floats that began with the bias
  kInteger,        ///< INT32: fma(float(sum), multiplier, bias) is still to come
  kIntegerFloats,  ///< the same, as integers in floats
};

/// What happens to the accumulators: scale and bias of integer sums, activation, residual, activation after it,
/// conversion and store.
struct TileEpilogue {
  Sums sums = Sums::kBiased;
  int64_t multiplier_bytes = 0;  ///< of integer sums: from the biases to the multipliers, one per output channel
  ActivationSpec activation;
  std::optional<ResidualSource> residual;
  ActivationSpec post_activation;
  std::vector<StoreTarget> targets;  ///< 1 to kMaxStoreTargets
  AffineScale stored;                ///< of all kUInt8 targets
  /// Steps of the grid that a unit is worth, per output channel, in place of stored.scale. kUInt8 targets alone.
  bool has_factors = false;
  int64_t factor_bytes = 0;  ///< from the biases to those
  /// Takes the place of activation and conversion; multipliers and biases are then times its input_scale(). Integer
  /// sums and kUInt8 targets alone.
  std::optional<WordSilu> word_silu;
};

/// Registers of a tile: accumulator (p, v) is register p * vectors + v; the registers behind them are free for the
/// epilogue, at least kEpilogueTemps.
struct TileShape {
  int pixels = 1;
  int vectors = 1;
  int tail_lanes = 0;  ///< channels in the last vector, 1 to lanes; nothing beyond them is read or written

  int accumulators() const { return pixels * vectors; }
  bool IsTail(int vector, int lanes) const { return vector == vectors - 1 && tail_lanes != lanes; }
};

inline constexpr int kEpilogueTemps = 4;

/// General registers that the tile functions share.
namespace reg {
inline const Xbyak::Reg64 args = Xbyak::util::rdi, input = Xbyak::util::r8, weights = Xbyak::util::rsi,
                          out = Xbyak::util::rdx, residual = Xbyak::util::rcx, bias = Xbyak::util::r9,
                          temp = Xbyak::util::r15;
}  // namespace reg

/// AVX-512: lanes of the last vector, set by EmitLoadArgs where shape.tail_lanes is not a whole vector.
inline const Xbyak::Opmask kTailMask(1);

/// `bytes` as the displacement of an address. Throws Error(kUnsupportedDevice) when it does not fit in 31 bits.
int Displacement(int64_t bytes);

/// Emits the loads of TileArgs into the shared registers, and the opmasks of the channel tail.
void EmitLoadArgs(JitCode& code, const TileShape& shape, const TileEpilogue& epilogue);
/// Emits everything from accumulators to memory.
void EmitEpilogue(JitCode& code, const TileShape& shape, const TileEpilogue& epilogue);
/// Emits the step from one tile to the next for residual and targets, and the jump back while tiles are left.
void EmitNextTile(JitCode& code, const TileShape& shape, const TileEpilogue& epilogue, Xbyak::Label& first);

}  // namespace tenon::cpu
