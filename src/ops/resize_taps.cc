#include <algorithm>
#include <cmath>

#include "ops/resize.h"
#include "ops/shape_rules.h"

// Follows onnx/reference/ops/op_resize.py, which the ONNX node tests are made with.

namespace tenon {
namespace {

/// The input coordinate of output `x`.
double SourceCoordinate(ResizeCoordinates coordinates, const ResizeAxis& axis, double x) {
  const auto in = static_cast<double>(axis.in);
  const double out = axis.scale * in;  // not rounded
  const double half_pixel = (x + 0.5) / axis.scale - 0.5;
  switch (coordinates) {
    case ResizeCoordinates::kHalfPixel:
      return half_pixel;
    case ResizeCoordinates::kHalfPixelSymmetric:
      return in / 2 * (1 - static_cast<double>(axis.out) / out) + half_pixel;
    case ResizeCoordinates::kPytorchHalfPixel:
      return out == 1 ? -0.5 : half_pixel;
    case ResizeCoordinates::kAlignCorners:
      return out == 1 ? 0 : x * (in - 1) / (out - 1);
    case ResizeCoordinates::kAsymmetric:
      return x / axis.scale;
    case ResizeCoordinates::kTfHalfPixelForNn:
      return (x + 0.5) / axis.scale;
    case ResizeCoordinates::kTfCropAndResize: {
      const double span = (axis.roi_end - axis.roi_start) * (in - 1);
      return (out == 1 ? span / 2 : x * span / (out - 1)) + axis.roi_start * (in - 1);
    }
  }
  return x;
}

/// Whether nearest takes the pixel left of a coordinate `ratio` in (0, 1) beyond it.
bool TakesLeft(NearestRounding rounding, double ratio) {
  switch (rounding) {
    case NearestRounding::kRoundPreferFloor:
      return ratio <= 0.5;
    case NearestRounding::kRoundPreferCeil:
      return ratio < 0.5;
    case NearestRounding::kFloor:
      return true;
    case NearestRounding::kCeil:
      return false;
  }
  return true;
}

/// The cubic convolution kernel with parameter a.
double CubicKernel(double x, double a) {
  x = std::abs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

/// The filter as a function of the distance in pixels of the smaller of input and output.
double Kernel(const Resize& op, double x) {
  return op.mode == ResizeMode::kLinear ? std::max(0.0, 1 - std::abs(x))
                                        : CubicKernel(x, static_cast<double>(op.cubic_coeff_a));
}

/// Divides by the sum, unless that is 0.
void Normalize(std::span<double> weights) {
  double sum = 0;
  for (const double weight : weights) sum += weight;
  for (double& weight : weights) weight = sum == 0 ? weight : weight / sum;
}

}  // namespace

bool ResizeAxis::IsIdentity() const {
  return in == out && std::abs(scale - 1) <= 1e-9 && roi_start == 0 && roi_end == 1;
}

ResizeTaps MakeResizeTaps(const Resize& op, const ResizeAxis& axis) {
  // Antialiasing widens the filter by 1 / shrink; without it, linear has taps 0, 1 and cubic -1 ... 2 around floor(x).
  const double shrink = op.antialias ? std::min(axis.scale, 1.0) : 1.0;
  const double radius = op.mode == ResizeMode::kCubic ? 2 : 1;
  const auto first = static_cast<int64_t>(std::floor(-radius / shrink)) + 1;
  ResizeTaps taps;
  taps.count = op.mode == ResizeMode::kNearest ? 1 : 2 - 2 * first;
  for (int64_t i = 0; i < axis.out; ++i) {
    const double x = SourceCoordinate(op.coordinates, axis, static_cast<double>(i));
    taps.outside.push_back(op.coordinates == ResizeCoordinates::kTfCropAndResize &&
                           !(x >= 0 && x <= static_cast<double>(axis.in - 1)));
    // Beyond the border every tap repeats it: clamping the coordinate keeps hostile scales within integers.
    const double limit = static_cast<double>(axis.in + taps.count) + 2;
    const double near = std::isnan(x) ? 0 : std::clamp(x, -limit, limit);
    // The pixel on the left is preferred: ratio is in (0, 1].
    const auto left = static_cast<int64_t>(std::ceil(near)) - 1;
    const double ratio = near - static_cast<double>(left);
    if (op.mode == ResizeMode::kNearest) {
      const int64_t index = ratio < 1 && TakesLeft(op.nearest, ratio) ? left : left + 1;
      taps.index.push_back(std::clamp<int64_t>(index, 0, axis.in - 1));
      taps.weight.push_back(1);
      continue;
    }
    for (int64_t t = first; t < first + taps.count; ++t) {
      const int64_t index = left + t;
      const bool excluded = op.exclude_outside && (index < 0 || index >= axis.in);
      taps.index.push_back(std::clamp<int64_t>(index, 0, axis.in - 1));
      taps.weight.push_back(excluded ? 0 : Kernel(op, (static_cast<double>(t) - ratio) * shrink));
    }
    if (op.antialias || op.exclude_outside) Normalize(std::span(taps.weight).last(static_cast<size_t>(taps.count)));
  }
  return taps;
}

}  // namespace tenon
