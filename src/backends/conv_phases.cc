#include "backends/conv_phases.h"

#include <cstdint>
#include <numeric>

namespace tenon {

AxisPhase PhaseOf(int phase, int outputs, int kernel, int stride, int dilation, int pad) {
  const int common = std::gcd(stride, dilation);
  AxisPhase axis{.outputs = phase < outputs ? (outputs - phase + stride - 1) / stride : 0,
                 .tap_step = stride / common,
                 .dilation = dilation / common};
  const int64_t shifted = int64_t{phase} + pad;
  while (axis.first_tap < kernel && (shifted - int64_t{axis.first_tap} * dilation) % stride != 0) ++axis.first_tap;
  if (axis.first_tap >= kernel) return axis;
  axis.taps = (kernel - 1 - axis.first_tap) / axis.tap_step + 1;
  const int64_t last_input =
      (shifted - int64_t{axis.first_tap} * dilation) / stride;  // of output 0, through the first tap
  axis.pad = static_cast<int>(int64_t{axis.taps - 1} * axis.dilation - last_input);
  return axis;
}

}  // namespace tenon
