#include "backends/image_placement.h"

#include <algorithm>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/error.h"

namespace tenon {
namespace {

using Pixels = std::array<std::array<uint8_t, 256>, 3>;

void CheckInside(const ImagePlacement& p, int height, int width) {
  TENON_CHECK(p.top >= 0 && p.left >= 0 && p.scaled_height > 0 && p.scaled_width > 0 &&
                  p.scaled_height <= height - p.top && p.scaled_width <= width - p.left,
              "{}x{} at {}, {} of {}x{}", p.scaled_height, p.scaled_width, p.top, p.left, height, width);
}

/// Whether a pixel's bytes go over as they are, but for their order.
bool IsIdentity(const Pixels& values) {
  return std::all_of(values.begin(), values.end(), [](const auto& table) {
    for (size_t byte = 0; byte < table.size(); ++byte) {
      if (table[byte] != byte) return false;
    }
    return true;
  });
}

void TranslateRow(const uint8_t* from, int pixels, const ImageFormat& format, const Pixels& values, uint8_t* to) {
  for (int x = 0; x < pixels; ++x, from += 3, to += 3) {
    for (size_t c = 0; c < 3; ++c) to[c] = values[c][from[format.order[c]]];
  }
}

#if defined(__x86_64__)
/// Five pixels at a time, of 16 bytes that are read and written: the last byte written belongs to the next pixel, which
/// comes later. Returns the pixels that are done.
__attribute__((target("ssse3"))) int ReorderRow(const uint8_t* from, int pixels, const ImageFormat& format,
                                                uint8_t* to) {
  alignas(16) uint8_t order[16] = {};
  for (int i = 0; i < 15; ++i) order[i] = static_cast<uint8_t>(i / 3 * 3 + format.order[static_cast<size_t>(i % 3)]);
  const __m128i shuffle = _mm_load_si128(reinterpret_cast<const __m128i*>(order));
  int x = 0;
  for (; x + 6 <= pixels; x += 5) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 3 * x));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 3 * x), _mm_shuffle_epi8(bytes, shuffle));
  }
  return x;
}
bool CanReorder() { return __builtin_cpu_supports("ssse3"); }
#else
int ReorderRow(const uint8_t*, int, const ImageFormat&, uint8_t*) { return 0; }
bool CanReorder() { return false; }
#endif

void FillPixels(uint8_t* to, int pixels, const std::array<uint8_t, 3>& pixel) {
  for (int x = 0; x < pixels; ++x, to += 3) std::copy(pixel.begin(), pixel.end(), to);
}

}  // namespace

void PlaceScaled(const uint8_t* scaled, const ImagePlacement& p, const ImageFormat& format, const FloatCanvas& canvas) {
  CheckInside(p, canvas.height, canvas.width);
  const auto plane = static_cast<size_t>(canvas.height) * static_cast<size_t>(canvas.width);
  for (int y = 0; y < canvas.height; ++y) {
    const int row = y - p.top;
    const bool has_image = row >= 0 && row < p.scaled_height;
    const uint8_t* from = scaled + (has_image ? size_t{3} * static_cast<size_t>(row) * p.scaled_width : 0);
    for (size_t c = 0; c < 3; ++c) {
      const std::array<float, 256>& table = format.values[c];
      const float border = table[format.border];
      float* to = canvas.planes + c * plane + static_cast<size_t>(y) * canvas.width;
      if (!has_image) {
        std::fill(to, to + canvas.width, border);
        continue;
      }
      std::fill(to, to + p.left, border);
      const uint8_t* bytes = from + format.order[c];
      for (int x = 0; x < p.scaled_width; ++x) to[p.left + x] = table[bytes[3 * x]];
      std::fill(to + p.left + p.scaled_width, to + canvas.width, border);
    }
  }
}

void PlaceScaled(const uint8_t* scaled, const ImagePlacement& p, const ImageFormat& format, const ByteCanvas& canvas) {
  CheckInside(p, canvas.height, canvas.width);
  const bool reorders = IsIdentity(canvas.values) && CanReorder();
  std::array<uint8_t, 3> border;
  for (size_t c = 0; c < 3; ++c) border[c] = canvas.values[c][format.border];
  for (int y = 0; y < canvas.height; ++y) {
    uint8_t* to = canvas.pixels + y * canvas.row_pitch;
    const int row = y - p.top;
    if (row < 0 || row >= p.scaled_height) {
      FillPixels(to, canvas.width, border);
      continue;
    }
    const uint8_t* from = scaled + size_t{3} * static_cast<size_t>(row) * p.scaled_width;
    uint8_t* inside = to + 3 * p.left;
    FillPixels(to, p.left, border);
    const int done = reorders ? ReorderRow(from, p.scaled_width, format, inside) : 0;
    TranslateRow(from + 3 * done, p.scaled_width - done, format, canvas.values, inside + 3 * done);
    FillPixels(inside + 3 * p.scaled_width, canvas.width - p.left - p.scaled_width, border);
  }
}

}  // namespace tenon
