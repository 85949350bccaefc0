#pragma once
#include <vector>

#include "backends/cpu/tile_epilogue.h"

namespace tenon::cpu {

/// The dot instruction of a tile: what is multiplied, and how many channels one lane takes at a time.
/// INT8 (vpdpbusd) and AMX tiles have their place here.
enum class Dot : uint8_t {
  kFloat32,   ///< vfmadd231ps, one channel
  kBFloat16,  ///< vdpbf16ps, two channels (AVX512_BF16)
};

/// Channels that one lane of the dot instruction takes at a time.
constexpr int ChannelsPerStep(Dot dot) { return dot == Dot::kBFloat16 ? 2 : 1; }

/// Pixels [begin, end) of a tile.
struct PixelRange {
  int begin = 0;
  int end = 0;

  bool empty() const { return begin >= end; }
  friend auto operator<=>(const PixelRange&, const PixelRange&) = default;
};

/// Batch-reduce GEMM tile: `pixels` x `vectors` accumulators, reduced over kernel rows (a number given at run time),
/// kernel columns and channels, in this order, one accumulator per output from first to last: the result of an output
/// does not depend on the tile it is computed in.
///
/// Weights are read in order: [kernel row][kernel column][step][vector][lane][ChannelsPerStep], steps =
/// ceil(channels / ChannelsPerStep), zero where channels or output channels are missing.
struct GemmTile {
  TileShape shape;
  Dot dot = Dot::kFloat32;
  DType input_dtype = DType::kFloat32;  ///< kFloat32 with Dot::kFloat32; kBFloat16 with either
  int channels = 1;
  /// For every kernel column the pixels whose input exists; the others are skipped.
  std::vector<PixelRange> columns;
  int64_t pixel_bytes = 0;    ///< input, from one output pixel to the next
  int64_t column_bytes = 0;   ///< input, from one kernel column to the next
  int64_t row_bytes = 0;      ///< input, from one kernel row to the next
  int64_t channel_bytes = 0;  ///< input, from one channel to the next
  TileEpilogue epilogue;
};

/// Whether accumulators, weights, broadcasts and the epilogue's temporaries fit in the registers.
bool FitsRegisters(Isa isa, int pixels, int vectors);

/// Emits a TileFunction and returns its offset in the code.
size_t EmitGemmTile(JitCode& code, const GemmTile& tile);

}  // namespace tenon::cpu
