#pragma once
#include <vector>

#include "backends/cpu/tile_epilogue.h"

namespace tenon::cpu {

/// The dot instruction of a tile: what is multiplied, and how many channels one lane takes at a time.
/// AMX tiles have their place here.
enum class Dot : uint8_t {
  kFloat32,   ///< vfmadd231ps, one channel
  kBFloat16,  ///< vdpbf16ps, two channels (AVX512_BF16)
  kInt8,      ///< vpdpbusd of u8 and s8, four channels (AVX512_VNNI)
  kInt16,     ///< the same sums where that is missing: vpmaddwd of u8 and s8 widened to 16 bits, two channels
  kWords,     ///< vpdpwssd of s16 and s16, two channels (AVX512_VNNI)
  kWordSums,  ///< the same sums where that is missing: vpmaddwd
};

constexpr bool TakesWords(Dot dot) { return dot == Dot::kWords || dot == Dot::kWordSums; }
/// Channels that one lane of the dot instruction takes at a time.
constexpr int ChannelsPerStep(Dot dot) { return dot == Dot::kInt8 ? 4 : dot == Dot::kFloat32 ? 1 : 2; }
/// Whether sums are exact INT32.
constexpr bool IsInteger(Dot dot) { return dot != Dot::kFloat32 && dot != Dot::kBFloat16; }

/// Channel that step `step` begins with. The last step of INT8 dots takes the last channels whatever was taken before
/// (with zeros for weights), so that one load serves it and nothing behind the pixel is read.
constexpr int StepChannel(Dot dot, int channels, int step) {
  const int per_step = ChannelsPerStep(dot), first = step * per_step, last = channels - per_step;
  return IsInteger(dot) && first > last && last >= 0 ? last : first;
}

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
/// ceil(channels / ChannelsPerStep), zero where channels or output channels are missing or were taken before. Of one
/// kernel position they may also lie [vector][step][lane][ChannelsPerStep].
struct GemmTile {
  TileShape shape;
  Dot dot = Dot::kFloat32;
  DType input_dtype =
      DType::kFloat32;  ///< kFloat32 with Dot::kFloat32; kBFloat16 with either float dot; kUInt8; words: unused
  int channels = 1;     ///< of words: an even number
  /// For every kernel column the pixels whose input exists; the others are skipped.
  std::vector<PixelRange> columns;
  /// For every kernel column the pixel whose input has no neighbour behind it, or -1; empty: none may have one. Three
  /// channels of u8 are read with the neighbour's first one, which is faster, where that exists.
  std::vector<int> last_inputs;
  int64_t pixel_bytes = 0;    ///< input, from one output pixel to the next
  int64_t column_bytes = 0;   ///< input, from one kernel column to the next
  int64_t row_bytes = 0;      ///< input, from one kernel row to the next
  int64_t channel_bytes = 0;  ///< input, from one channel to the next; of integers their size
  /// INT32 sums begin with vectors in memory: for every pixel the bytes from TileArgs::starts to its first one. Floats
  /// begin with the bias.
  std::vector<int64_t> start_offsets;
  int64_t weight_vector_bytes = 0;  ///< from the weights of one vector to those of the next; 0: step by step
  TileEpilogue epilogue;
};

/// Whether accumulators, weights, broadcasts and the epilogue's temporaries fit in the registers.
bool FitsRegisters(Isa isa, int pixels, int vectors);

/// Emits a TileFunction and returns its offset in the code.
size_t EmitGemmTile(JitCode& code, const GemmTile& tile);

}  // namespace tenon::cpu
