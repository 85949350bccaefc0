#include "backends/cuda/resize_taps.h"

#include <algorithm>
#include <cmath>

namespace tenon::cuda {
namespace {

constexpr float kOne = 2048;

short Weight(float part) { return static_cast<short>(std::lrint(part * kOne)); }

}  // namespace

std::vector<ImageTap> ResizeTaps(int from, int to, bool is_row) {
  std::vector<ImageTap> taps(static_cast<size_t>(to));
  const double scale = 1.0 / (static_cast<double>(to) / from);  // as OpenCV computes it
  for (int i = 0; i < to; ++i) {
    auto position = static_cast<float>((i + 0.5) * scale - 0.5);
    auto pixel = static_cast<int>(std::floor(position));
    position -= static_cast<float>(pixel);
    if (!is_row && (pixel < 0 || pixel >= from - 1)) {
      pixel = std::clamp(pixel, 0, from - 1);
      position = 0;
    }
    const auto inside = [&](int at) { return std::clamp(at, 0, from - 1); };
    taps[static_cast<size_t>(i)] = {
        .first = inside(pixel), .second = inside(pixel + 1), .weights = {Weight(1.f - position), Weight(position)}};
  }
  return taps;
}

}  // namespace tenon::cuda
