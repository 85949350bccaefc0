#pragma once
#include <vector>

#include "backends/cpu/gemm_tile.h"

namespace tenon::cpu {

/// Depthwise tile: `pixels` x `vectors` accumulators over vectors of channels, every tap multiplied in FP32; taps in
/// the order kernel row, kernel column. An input vector is loaded once for all the outputs that it takes part in.
///
/// Weights are FP32, in order [kernel row][kernel column][vector][lane].
///
/// Sums of u8 inputs less their zero point and of whole weights are exact while they stay below 2^24; the epilogue
/// takes them as Sums::kIntegerFloats, and they don't begin with the bias.
struct DepthwiseTile {
  TileShape shape;
  DType input_dtype = DType::kFloat32;  ///< kFloat32, kBFloat16 (AVX-512) or kUInt8
  int64_t zero_point = 0;               ///< of kUInt8
  int stride = 1;                       ///< along w
  int dilation = 1;                     ///< along w
  std::vector<PixelRange> columns;      ///< per kernel column the pixels whose input exists
  int64_t input_pixel_bytes = 0;        ///< from one input pixel to the next
  int64_t row_bytes = 0;                ///< input, from one kernel row to the next
  TileEpilogue epilogue;
};

/// Emits a TileFunction and returns its offset in the code.
size_t EmitDepthwiseTile(JitCode& code, const DepthwiseTile& tile);

}  // namespace tenon::cpu
