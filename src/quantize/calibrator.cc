#include "quantize/calibrator.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"

namespace tenon {
namespace {

constexpr double kLevels = 255;

struct Range {
  double low, high;
};

Range FullRange(const Histogram& histogram) {
  return {std::min(0.0, static_cast<double>(histogram.min())), std::max(0.0, static_cast<double>(histogram.max()))};
}

/// Tries every end of the range on a grid of fractions of the full one, one end after the other, until neither moves.
template <class ErrorOf>
Range ShrinkEnds(const Range& full, const ErrorOf& error_of) {
  constexpr int kSteps = 64, kMaxRounds = 3;
  Range best = full;
  double least = error_of(best);
  const auto shrink = [&](double Range::*end) {
    bool moved = false;
    Range candidate = best;
    for (int step = 0; step < kSteps && full.*end != 0; ++step) {
      candidate.*end = full.*end * (1 - static_cast<double>(step) / kSteps);
      const double error = error_of(candidate);
      if (error >= least) continue;
      least = error;
      best.*end = candidate.*end;
      moved = true;
    }
    return moved;
  };
  for (int round = 0; round < kMaxRounds; ++round) {
    const bool high = shrink(&Range::high), low = shrink(&Range::low);
    if (!high && !low) break;
  }
  return best;
}

Range PercentileRange(const Histogram& histogram) {
  constexpr double kCut = 0.0001;
  const auto bins = histogram.bins();
  const auto allowed = static_cast<int64_t>(kCut / 2 * static_cast<double>(histogram.count()));
  int64_t first = 0, last = static_cast<int64_t>(bins.size()) - 1;
  for (int64_t left = allowed; first < last && (left -= bins[first]) >= 0;) ++first;
  for (int64_t left = allowed; last > first && (left -= bins[last]) >= 0;) --last;
  const Range full = FullRange(histogram);
  return {std::max(full.low, histogram.BinCentre(first) - histogram.width() / 2),
          std::min(full.high, histogram.BinCentre(last) + histogram.width() / 2)};
}

/// KL divergence of the distribution that the mapping leaves from the observed one: values that one level stands for
/// share their count evenly among the bins that held some, clipped ones count at the ends.
double EntropyLoss(const Histogram& histogram, const AffineScale& scale) {
  const auto bins = histogram.bins();
  std::array<double, 256> count{};
  std::array<int, 256> holders{};
  const auto level_of = [&](size_t i) {
    const double level = std::nearbyint(histogram.BinCentre(static_cast<int64_t>(i)) / scale.scale) +
                         static_cast<double>(scale.zero_point);
    return static_cast<int>(std::clamp(level, 0.0, kLevels));
  };
  const double low = -static_cast<double>(scale.zero_point) * scale.scale, high = low + kLevels * scale.scale;
  for (size_t i = 0; i < bins.size(); ++i) {
    if (bins[i] == 0) continue;
    const double centre = histogram.BinCentre(static_cast<int64_t>(i));
    const int level = level_of(i);
    count[level] += static_cast<double>(bins[i]);
    holders[level] += centre >= low && centre <= high;
  }
  double loss = 0;
  const double total = static_cast<double>(histogram.count());
  for (size_t i = 0; i < bins.size(); ++i) {
    if (bins[i] == 0) continue;
    const int level = level_of(i);
    const double p = static_cast<double>(bins[i]) / total;
    // A clipped bin is left with less than one count: its divergence is large, not infinite.
    const double centre = histogram.BinCentre(static_cast<int64_t>(i));
    const bool kept = centre >= low && centre <= high;
    const double q = kept ? count[level] / holders[level] / total : 0.1 / total;
    loss += p * std::log(p / q);
  }
  return loss;
}

}  // namespace

Calibrator ParseCalibrator(const std::string& flag) {
  const auto found = std::find(kCalibratorNames.begin(), kCalibratorNames.end(), flag);
  if (found == kCalibratorNames.end()) {
    ThrowInvalid({.what = "unknown calibrator",
                  .where = "--calibration",
                  .got = flag,
                  .expected = fmt::format("{}", fmt::join(kCalibratorNames, ", "))});
  }
  return static_cast<Calibrator>(found - kCalibratorNames.begin());
}

AffineScale ScaleOfRange(double low, double high) {
  low = std::min(low, 0.0);
  high = std::max(high, 0.0);
  const double scale = (high - low) / kLevels;
  if (!(scale > 1e-30) || !std::isfinite(scale)) return {};
  return {static_cast<float>(scale), static_cast<int64_t>(std::clamp(std::nearbyint(-low / scale), 0.0, kLevels))};
}

double QuantizationError(const Histogram& histogram, const AffineScale& scale) {
  if (histogram.empty()) return 0;
  const auto bins = histogram.bins();
  const double step = scale.scale, inverse = 1 / step, zero = static_cast<double>(scale.zero_point);
  double sum = 0;
  for (size_t i = 0; i < bins.size(); ++i) {
    if (bins[i] == 0) continue;
    const double x = histogram.BinCentre(static_cast<int64_t>(i));
    const double level = std::clamp(std::nearbyint(x * inverse) + zero, 0.0, kLevels);
    const double error = x - (level - zero) * step;
    sum += static_cast<double>(bins[i]) * error * error;
  }
  return sum / static_cast<double>(histogram.count());
}

AffineScale ChooseScale(const Histogram& histogram, Calibrator calibrator) {
  if (histogram.empty()) return {};
  const Range full = FullRange(histogram);
  Range range = full;
  const auto mapping = [](const Range& of) { return ScaleOfRange(of.low, of.high); };
  switch (calibrator) {
    case Calibrator::kMse:
      range = ShrinkEnds(full, [&](const Range& of) { return QuantizationError(histogram, mapping(of)); });
      break;
    case Calibrator::kEntropy:
      range = ShrinkEnds(full, [&](const Range& of) { return EntropyLoss(histogram, mapping(of)); });
      break;
    case Calibrator::kPercentile:
      range = PercentileRange(histogram);
      break;
    case Calibrator::kMinMax:
      break;
  }
  return mapping(range);
}

double SignalToNoiseDb(double signal, double noise) {
  if (noise <= 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(std::max(signal, 1e-300) / noise);
}

}  // namespace tenon
