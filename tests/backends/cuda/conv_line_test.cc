#include "backends/cuda/conv_line.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace tenon::cuda {
namespace {

int OutputSize(int in, int kernel, int stride, int dilation, int pad_before, int pad_after) {
  return (in + pad_before + pad_after - (kernel - 1) * dilation - 1) / stride + 1;
}

struct Pixel {
  int n = -1, y = -1, x = -1;  ///< -1: outside
  friend bool operator==(const Pixel&, const Pixel&) = default;
};

Pixel InImage(const ConvProblem& p, int n, int y, int x) {
  const bool inside = n < p.n && y >= 0 && y < p.ih && x >= 0 && x < p.iw;
  return inside ? Pixel{n, y, x} : Pixel{};
}

/// What a position of the line is in a phase of the input.
Pixel OnLine(const ConvProblem& p, const ConvLine& line, const ConvLine::Phase& phase, int64_t position) {
  const auto x = static_cast<int>(position % line.pitch_w), y = static_cast<int>(position / line.pitch_w);
  return InImage(p, y / line.pitch_h, y % line.pitch_h * p.stride_h + phase.y - p.pad_top,
                 x * p.stride_w + phase.x - p.pad_left);
}

/// Every tap of every output is where the line says; taps in the pads are places outside the image.
void ExpectRight(const ConvProblem& p) {
  const ConvLine line = ConvLine::Of(p);
  int64_t last = 0;
  for (int n = 0; n < p.n; ++n)
    for (int y = 0; y < p.oh; ++y)
      for (int x = 0; x < p.ow; ++x)
        for (int tap = 0; tap < p.taps(); ++tap) {
          const Pixel want = InImage(p, n, y * p.stride_h - p.pad_top + tap / p.kw * p.dilation_h,
                                     x * p.stride_w - p.pad_left + tap % p.kw * p.dilation_w);
          const auto [phase, shift] = line.taps[static_cast<size_t>(tap)];
          last = (int64_t{n} * line.pitch_h + y) * line.pitch_w + x;
          const ConvLine::Phase& of = line.phases[static_cast<size_t>(phase)];
          ASSERT_LE(shift, of.reach);
          ASSERT_EQ(OnLine(p, line, of, last + shift), want) << fmt::format("output {} {} {} tap {}", n, y, x, tap);
        }
  EXPECT_EQ(last + 1, line.positions);
}

TEST(CudaConvLine, TapsAreShiftsOfOneLine) {
  for (const int kernel : {1, 2, 3, 5})
    for (const int stride : {1, 2, 3})
      for (const int dilation : {1, 2})
        for (const int before : {0, 1, 3})
          for (const int after : {0, 2}) {
            ConvProblem p{.n = 2, .ic = 8, .ih = 9, .iw = 7, .oc = 8};
            p.kh = kernel, p.kw = kernel == 5 ? 3 : kernel;
            p.stride_h = p.stride_w = stride, p.dilation_h = p.dilation_w = dilation;
            p.pad_top = before, p.pad_left = before;
            p.oh = OutputSize(p.ih, p.kh, stride, dilation, before, after);
            p.ow = OutputSize(p.iw, p.kw, stride, dilation, before, after);
            if (p.oh < 1 || p.ow < 1) continue;
            SCOPED_TRACE(
                fmt::format("kernel {} stride {} dilation {} pads {} {}", kernel, stride, dilation, before, after));
            ExpectRight(p);
          }
}

TEST(CudaConvLine, NeighboursSharePads) {
  ConvProblem p{.n = 3, .ic = 80, .ih = 20, .iw = 20, .oc = 8, .oh = 20, .ow = 20, .kh = 3, .kw = 3};
  p.pad_top = p.pad_left = 1;
  const ConvLine line = ConvLine::Of(p);
  EXPECT_EQ(line.pitch_w, 21);
  EXPECT_EQ(line.pitch_h, 21);
  EXPECT_EQ(line.steps, 5);  // 160 bytes of channels
  EXPECT_EQ(line.pieces, 1);
  EXPECT_EQ(line.PatchPixels(64), 112);  // 64 + 2 rows and 2 pixels: 108, in whole eights
}

}  // namespace
}  // namespace tenon::cuda
