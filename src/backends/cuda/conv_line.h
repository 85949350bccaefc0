#pragma once
#include <vector>

#include "backends/cuda/conv_problem.h"

namespace tenon::cuda {

/// A convolution as kernels/conv_wgmma.cu walks it: the output as one line of positions, row by row, with the pads
/// that neighbouring rows and images share. The input of a tap is the same line, shifted by a constant, once for every
/// phase of rows and columns that a stride leaves. Channels go in pieces of whole steps of 32 bytes.
struct ConvLine {
  struct Phase {
    int y = 0, x = 0;  ///< input row y + stride * i - pad lies at row i of the line
    int reach = 0;     ///< furthest shift of its taps
  };
  struct Tap {
    int phase = 0, shift = 0;
  };
  int pitch_w = 1, pitch_h = 1;  ///< positions a row, rows an image
  int64_t positions = 0;         ///< up to the last output
  std::vector<Phase> phases;
  std::vector<Tap> taps;
  int pieces = 1, steps = 1;  ///< of channels; steps of 32 bytes in each piece
  int packed_oc = 16;         ///< rows of packed weights

  static ConvLine Of(const ConvProblem& problem);

  /// Pixels of a phase that the taps of `bm` neighbouring positions read, in whole eights, and of all phases.
  static int PatchPixels(const Phase& phase, int bm) { return (bm + phase.reach + 7) / 8 * 8; }
  int PatchPixels(int bm) const;
  int columns() const { return 2 * steps; }
  int slabs() const { return pieces * static_cast<int>(taps.size()); }
};

}  // namespace tenon::cuda
