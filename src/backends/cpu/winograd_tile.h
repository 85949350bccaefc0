#pragma once
#include "backends/cpu/gemm_tile.h"
#include "backends/cpu/tile_epilogue.h"
#include "backends/cpu/winograd_transform.h"

namespace tenon::cpu {

/// What the function of an input tile is called with.
struct WinogradInputArgs {
  void* to = nullptr;  ///< the tile's channels at point 0
  /// Channel 0 of each pixel of the tile, row-major; zeros for those outside of the image. Of tiles inside of it the
  /// first alone.
  const void* pixels[kMostWinogradPoints] = {};
};
using WinogradInputFunction = void (*)(const WinogradInputArgs*);

/// B^T d B of one tile for all channels, point by point: [point][channel], in whole steps of WinogradStepChannels:
/// what lies behind the last channel is unspecified.
struct WinogradInputTile {
  WinogradForm form = WinogradForm::kF2;
  int channels = 1;
  DType input_dtype = DType::kFloat32;  ///< kFloat32 or kBFloat16; kF4Words: kUInt8
  Dot dot = Dot::kFloat32;              ///< what takes the values that are written: floats, BF16 or words
  int zero_point = 0;                   ///< of kUInt8
  bool is_inside = false;               ///< all pixels exist and lie row_bytes and pixel_bytes apart
  int64_t row_bytes = 0, pixel_bytes = 0;
  int64_t point_bytes = 0;  ///< of what is written, from one point to the next
};
/// Channels of one step of the transform: a vector of floats or of words.
int WinogradStepChannels(WinogradForm form, Isa isa);
/// Emits a WinogradInputFunction and returns its offset in the code.
size_t EmitWinogradInput(JitCode& code, const WinogradInputTile& tile);

/// A^T m A of one tile for a block of output channels, then bias and epilogue for `columns` x TileArgs::kernel_rows
/// pixels. A TileFunction whose input is [point][channel], in FP32 or, of kF4Words, INT32; it spoils the TileArgs.
struct WinogradOutputTile {
  WinogradForm form = WinogradForm::kF2;
  int columns = 2;  ///< pixels of a row that exist
  int vectors = 1;  ///< of channels
  int tail_lanes = 16;
  int64_t point_bytes = 0;                ///< from one point to the next
  TileEpilogue epilogue;                  ///< of kBiased sums, whose bias is added here; kF4Words: of kIntegerFloats
  std::vector<int64_t> target_row_bytes;  ///< for every target, from one row of pixels to the next
  int64_t residual_row_bytes = 0;
};
size_t EmitWinogradOutput(JitCode& code, const WinogradOutputTile& tile);

}  // namespace tenon::cpu
