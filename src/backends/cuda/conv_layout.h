#pragma once
#include "backends/cuda/conv_problem.h"
#include "backends/cuda/conv_tactic.h"

namespace tenon::cuda {

/// Where packed constants lie. Products: rows [OC] of taps, each tap's channels next to each other, padded to 16 bytes
/// a tap where the input is copied in chunks, else to 16 bytes a row. kWgmma: [piece of channels][tap][OC / 8, in
/// whole 16s of OC][16-byte column of the piece][8] of 16 bytes (conv_line.h). kImage: rows [OC] of [KH][KW padded to
/// 4][4 channels]. Depthwise: [tap][OC], FP32 (s8 for INT8). Behind the weights: biases [OC] f32; for INT8 multipliers
/// [OC] f32 and first sums [OC] i32.
struct ConvLayout {
  bool is_gathered = false;
  int tap_bytes = 0;        ///< of one tap in a row; kImage: of one row of taps
  int row_bytes = 0;        ///< of one output channel
  int64_t bias_offset = 0;  ///< bytes of the weights, in whole 16s
  int64_t total_bytes = 0;

  static ConvLayout Of(const ConvProblem& problem, ConvKernel kernel);
};

}  // namespace tenon::cuda
