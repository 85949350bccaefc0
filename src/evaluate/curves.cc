#include "evaluate/curves.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace tenon {

double Interpolate(double x, std::span<const double> xp, std::span<const double> fp, double left) {
  TENON_CHECK(!xp.empty() && xp.size() == fp.size());
  if (x < xp.front()) return left;
  if (x >= xp.back()) return fp.back();
  const size_t j = static_cast<size_t>(std::upper_bound(xp.begin(), xp.end(), x) - xp.begin()) - 1;
  if (xp[j] == x) return fp[j];
  return (fp[j + 1] - fp[j]) / (xp[j + 1] - xp[j]) * (x - xp[j]) + fp[j];
}

std::vector<double> LinearSpace(double low, double high, int count) {
  std::vector<double> points(count);
  const double step = (high - low) / (count - 1);
  for (int i = 0; i < count; ++i) points[i] = i * step + low;
  points.back() = high;
  return points;
}

std::vector<double> Smooth(std::span<const double> y, double fraction) {
  const auto length = static_cast<int>(y.size());
  const int width = static_cast<int>(std::nearbyint(length * fraction * 2)) / 2 + 1;
  std::vector<double> smoothed(y.size());
  for (int i = 0; i < length; ++i) {
    double sum = 0;
    for (int k = -(width / 2); k < width - width / 2; ++k) sum += y[std::clamp(i + k, 0, length - 1)] * (1.0 / width);
    smoothed[i] = sum;
  }
  return smoothed;
}

double AveragePrecision(std::span<const double> recall, std::span<const double> precision) {
  std::vector<double> x = {0}, envelope = {1};
  x.insert(x.end(), recall.begin(), recall.end());
  x.insert(x.end(), {recall.empty() ? 1.0 : recall.back(), 1.0});
  envelope.insert(envelope.end(), precision.begin(), precision.end());
  envelope.insert(envelope.end(), {0.0, 0.0});
  for (size_t i = envelope.size() - 1; i > 0; --i) envelope[i - 1] = std::max(envelope[i - 1], envelope[i]);
  static const std::vector<double> kPoints = LinearSpace(0, 1, 101);
  double area = 0, previous = Interpolate(0, x, envelope, envelope.front());
  for (size_t i = 1; i < kPoints.size(); ++i) {
    const double value = Interpolate(kPoints[i], x, envelope, envelope.front());
    area += (kPoints[i] - kPoints[i - 1]) * (value + previous) / 2;
    previous = value;
  }
  return area;
}

}  // namespace tenon
