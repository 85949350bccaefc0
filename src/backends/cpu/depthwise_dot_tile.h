#pragma once
#include <vector>

#include "backends/cpu/conv_problem.h"
#include "backends/cpu/gemm_tile.h"

namespace tenon::cpu {

/// Kernel rows that one lane of vpdpbusd takes.
inline constexpr int kRowsPerDot = 4;

/// Depthwise tile of u8 and s8 with vpdpbusd (AVX512_VNNI): the bytes of four kernel rows are brought side by side, a
/// channel in each lane, once for all the kernel columns that read them. INT32 sums, so nothing depends on the order.
/// Rows outside of the image read as the zero point; the first sums are those of all rows.
///
/// Weights are s8, in order [4 kernel rows][kernel column][vector][lane][kernel row], zero beyond the kernel.
struct DepthwiseDotTile {
  TileShape shape;
  int kernel_rows = 1;  ///< at most kMostDotRows
  int64_t zero_point = 0;
  int stride = 1;                   ///< along w
  int dilation = 1;                 ///< along w
  std::vector<PixelRange> columns;  ///< per kernel column the pixels whose input exists
  int64_t input_pixel_bytes = 0;    ///< from one input pixel to the next
  /// For every pixel the bytes from TileArgs::starts to its vectors of first sums.
  std::vector<int64_t> start_offsets;
  TileEpilogue epilogue;  ///< of Sums::kInteger
};

/// Emits a TileFunction and returns its offset in the code. TileArgs::input is that of kernel row 0, inside the image
/// or not.
size_t EmitDepthwiseDotTile(JitCode& code, const DepthwiseDotTile& tile);

/// Sets what TileArgs says of rows; those of [rows.begin, rows.end) are inside the image.
/// @param row_bytes input, from one kernel row to the next
void SetRows(KernelRange rows, int64_t row_bytes, int tail_lanes, TileArgs& args);

}  // namespace tenon::cpu
