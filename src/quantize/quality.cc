#include "quantize/quality.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tenon {
namespace {

constexpr int64_t kEnoughImages = 200;
constexpr double kMuchClipped = 0.01;
/// Draws of one kind of images differ by 0.6 to 1.3 times what is expected, COCO's photos from inverted, grey or dark
/// ones by 2.5 and more (docs/measurements/2026-11-24-int8-accuracy.md).
constexpr double kMuchDrift = 2.2;
/// Below this ranges hold whatever the images are.
constexpr double kLittleDrift = 0.005;
/// A channel that was constant on one side has no say beyond this.
constexpr double kMostPerChannel = 2;

struct TensorDrift {
  double divergence;
  std::string tensor;
};

/// Kullback-Leibler divergence of one channel's distribution from another's, both taken for normal ones.
double ChannelDivergence(const ChannelStatistics& observed, const ChannelStatistics& expected) {
  const auto variance = [](const ChannelStatistics& c) {
    return std::max(c.mean_square - c.mean * c.mean, 1e-6 * c.mean_square + 1e-30);
  };
  const double v = variance(observed), w = variance(expected), shift = observed.mean - expected.mean;
  return std::min(0.5 * ((v + shift * shift) / w - 1 + std::log(w / v)), kMostPerChannel);
}

/// Mean over the channels: the distribution of a whole tensor hides that channels change places.
double TensorDivergence(const TensorStatistics& observed, const TensorStatistics& expected) {
  const size_t channels = std::min(observed.channels().size(), expected.channels().size());
  double sum = 0;
  for (size_t c = 0; c < channels; ++c) sum += ChannelDivergence(observed.channels()[c], expected.channels()[c]);
  return channels == 0 ? 0 : sum / static_cast<double>(channels);
}

/// Largest first; never empty.
std::vector<TensorDrift> DriftPerTensor(const StatisticsTable& calibration, const StatisticsTable& judging) {
  std::vector<TensorDrift> drifts;
  for (const auto& [name, judged] : judging) {
    const auto found = calibration.find(name);
    if (found != calibration.end()) drifts.push_back({TensorDivergence(judged, found->second), name});
  }
  if (drifts.empty()) drifts.push_back({0, "no tensor"});
  std::stable_sort(drifts.begin(), drifts.end(),
                   [](const TensorDrift& a, const TensorDrift& b) { return a.divergence > b.divergence; });
  return drifts;
}

double MedianOf(const std::vector<TensorDrift>& drifts) { return drifts[drifts.size() / 2].divergence; }

double ClippedShare(const Histogram& histogram, const AffineScale& scale) {
  const double low = (0.0 - static_cast<double>(scale.zero_point)) * scale.scale, high = low + 255.0 * scale.scale;
  const auto bins = histogram.bins();
  int64_t clipped = 0;
  for (size_t i = 0; i < bins.size(); ++i) {
    const double x = histogram.BinCentre(static_cast<int64_t>(i));
    if (x < low - scale.scale || x > high + scale.scale) clipped += bins[i];
  }
  return histogram.empty() ? 0 : static_cast<double>(clipped) / static_cast<double>(histogram.count());
}

}  // namespace

std::vector<std::string> JudgeCalibration(const StatisticsTable& calibration, int64_t images, Calibrator calibrator) {
  std::vector<std::string> warnings;
  if (images < kEnoughImages)
    warnings.push_back(
        fmt::format("calibrated on {} images: ranges are reliable from about {}", images, kEnoughImages));
  int64_t channels = 0, dead = 0, dead_tensors = 0;
  std::string example;
  for (const auto& [name, tensor] : calibration) {
    if (tensor.histogram().non_finite() > 0)
      warnings.push_back(fmt::format("{}: {} values are not finite", name, tensor.histogram().non_finite()));
    const auto constant = std::count_if(tensor.channels().begin(), tensor.channels().end(),
                                        [](const ChannelStatistics& c) { return c.min == c.max; });
    channels += static_cast<int64_t>(tensor.channels().size());
    dead += constant;
    dead_tensors += constant > 0;
    if (constant > 0 && example.empty()) example = name;
    const double clipped = ClippedShare(tensor.histogram(), ChooseScale(tensor.histogram(), calibrator));
    if (clipped > kMuchClipped)
      warnings.push_back(fmt::format("{}: {:.1f}% of the values are clipped", name, 100 * clipped));
  }
  if (dead > 0) {
    warnings.push_back(fmt::format("{} of {} channels never change on the calibration images, in {} tensors ({})", dead,
                                   channels, dead_tensors, example));
  }
  return warnings;
}

Drift JudgeDrift(const SplitStatistics& calibration, const StatisticsTable& judging, int64_t judging_images) {
  const auto drifts = DriftPerTensor(calibration.All(), judging);
  const double halves = MedianOf(DriftPerTensor(calibration.halves[0], calibration.halves[1]));
  // The divergence of two draws of n and m images of one kind goes with 1/n + 1/m.
  const double n = static_cast<double>(std::max<int64_t>(calibration.images, 1)),
               m = static_cast<double>(std::max<int64_t>(judging_images, 1));
  Drift drift{.median = MedianOf(drifts), .expected = halves * (1 / n + 1 / m) / (4 / n), .warning = ""};
  if (drift.median <= std::max(kMuchDrift * drift.expected, kLittleDrift)) return drift;
  drift.warning = fmt::format(
      "the calibration images are not like the val images: the channels' distributions differ by {:.3f} nats (KL, "
      "median over {} tensors; {:.3f} in {}), where images of one kind would by {:.3f}",
      drift.median, drifts.size(), drifts[0].divergence, drifts[0].tensor, drift.expected);
  return drift;
}

}  // namespace tenon
