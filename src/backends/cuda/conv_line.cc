#include "backends/cuda/conv_line.h"

#include <algorithm>

namespace tenon::cuda {
namespace {

/// Positions of a row (or rows of an image): what the taps of `out` outputs span, less the pads at its end that are the
/// pads at the next one's start. With a stride a phase's end is another phase's data: nothing is shared.
int PitchOf(int in, int out, int kernel, int stride, int dilation, int pad) {
  const int span = out + (kernel - 1) * dilation / stride;
  return stride == 1 ? span - std::clamp(span - (in + pad), 0, pad) : span;
}

/// Steps of a piece: all of few channels, else such that the pieces are whole. The patches of several phases are large:
/// smaller pieces leave room for several of them.
int StepsOfPiece(int steps, bool has_phases) {
  const int most = has_phases ? 3 : 6;
  if (steps <= most) return steps;
  for (int piece = most; piece > 1; --piece)
    if (steps % piece == 0) return piece;
  return has_phases ? 2 : 4;
}

}  // namespace

ConvLine ConvLine::Of(const ConvProblem& p) {
  ConvLine line;
  line.pitch_w = PitchOf(p.iw, p.ow, p.kw, p.stride_w, p.dilation_w, p.pad_left);
  line.pitch_h = PitchOf(p.ih, p.oh, p.kh, p.stride_h, p.dilation_h, p.pad_top);
  line.positions = ((int64_t{p.n} - 1) * line.pitch_h + p.oh - 1) * line.pitch_w + p.ow;
  for (int kh = 0; kh < p.kh; ++kh)
    for (int kw = 0; kw < p.kw; ++kw) {
      const int y = kh * p.dilation_h, x = kw * p.dilation_w;
      const Phase phase{y % p.stride_h, x % p.stride_w};
      const auto known = std::find_if(line.phases.begin(), line.phases.end(),
                                      [&](const Phase& other) { return other.y == phase.y && other.x == phase.x; });
      const auto index = static_cast<int>(known - line.phases.begin());
      if (known == line.phases.end()) line.phases.push_back(phase);
      const int shift = y / p.stride_h * line.pitch_w + x / p.stride_w;
      line.taps.push_back({index, shift});
      int& reach = line.phases[static_cast<size_t>(index)].reach;
      reach = std::max(reach, shift);
    }
  const int steps = (p.group_ic() * p.element_bytes() + 31) / 32;
  line.steps = StepsOfPiece(steps, line.phases.size() > 1);
  line.pieces = (steps + line.steps - 1) / line.steps;
  line.packed_oc = (p.oc + 15) / 16 * 16;
  return line;
}

int ConvLine::PatchPixels(int bm) const {
  int pixels = 0;
  for (const Phase& phase : phases) pixels += PatchPixels(phase, bm);
  return pixels;
}

}  // namespace tenon::cuda
