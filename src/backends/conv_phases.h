#pragma once

namespace tenon {

/// One axis of the outputs y = stride * q + phase: an ordinary convolution over q with every `tap_step`-th kernel
/// position, from the last to the first.
struct AxisPhase {
  int outputs = 0;
  int taps = 0;  ///< 0: these outputs see no input
  int first_tap = 0;
  int tap_step = 1;
  int dilation = 1;
  int pad = 0;  ///< may be negative
};
AxisPhase PhaseOf(int phase, int outputs, int kernel, int stride, int dilation, int pad);

}  // namespace tenon
