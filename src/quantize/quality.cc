#include "quantize/quality.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tenon {
namespace {

constexpr int64_t kEnoughImages = 200;
constexpr double kMuchClipped = 0.01;
/// Photos of one kind differ by about 0.01 (COCO's train and val); a data set of other images by ten times that.
constexpr double kMuchDrift = 0.1;

struct Drift {
  double divergence;
  std::string tensor;
};

std::vector<Drift> DriftPerTensor(const StatisticsTable& calibration, const StatisticsTable& judging) {
  std::vector<Drift> drifts;
  for (const auto& [name, judged] : judging) {
    const auto found = calibration.find(name);
    if (found != calibration.end())
      drifts.push_back({KlDivergence(judged.histogram(), found->second.histogram()), name});
  }
  std::sort(drifts.begin(), drifts.end(), [](const Drift& a, const Drift& b) { return a.divergence > b.divergence; });
  return drifts;
}

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

double MedianDrift(const StatisticsTable& calibration, const StatisticsTable& judging) {
  const auto drifts = DriftPerTensor(calibration, judging);
  return drifts.empty() ? 0 : drifts[drifts.size() / 2].divergence;
}

std::vector<std::string> JudgeDrift(const StatisticsTable& calibration, const StatisticsTable& judging) {
  const auto drifts = DriftPerTensor(calibration, judging);
  const auto much =
      std::count_if(drifts.begin(), drifts.end(), [](const Drift& d) { return d.divergence > kMuchDrift; });
  if (drifts.empty() || 2 * static_cast<size_t>(much) < drifts.size()) return {};
  return {fmt::format(
      "the calibration images are not like the val images: in {} of {} tensors the distributions differ by "
      "more than {} nats (KL; {:.2f} in {}, median {:.2f})",
      much, drifts.size(), kMuchDrift, drifts[0].divergence, drifts[0].tensor, drifts[drifts.size() / 2].divergence)};
}

}  // namespace tenon
