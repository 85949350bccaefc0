#include "verify/json.h"

#include <algorithm>

namespace tenon {

nlohmann::ordered_json ToJson(const LatencyStats& stats) {
  return {{"median", stats.median}, {"p90", stats.p90}, {"p95", stats.p95},
          {"p99", stats.p99},       {"min", stats.min}, {"mean", stats.mean}};
}

nlohmann::ordered_json ToJson(const HostLoad& load) {
  const auto share = [](const std::optional<double>& value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
  };
  return {{"load_average_start", load.load_average_start},
          {"load_average_end", load.load_average_end},
          {"others_share", share(load.others_share)},
          {"steal_share", share(load.steal_share)}};
}

nlohmann::ordered_json TimesHistogram(const std::vector<double>& times_ms) {
  constexpr size_t kBins = 40;
  constexpr double kRoom = 1.1;
  if (times_ms.empty()) return {};
  const LatencyStats stats = SummariseTimes(times_ms);
  const double low = stats.min, high = std::max(stats.p99 * kRoom, low + 1e-6);
  std::vector<int64_t> counts(kBins, 0);
  for (const double ms : times_ms) {
    const double place = (ms - low) / (high - low) * static_cast<double>(kBins);
    ++counts[static_cast<size_t>(std::clamp(place, 0.0, static_cast<double>(kBins - 1)))];
  }
  return {{"low", low}, {"high", high}, {"counts", counts}};
}

}  // namespace tenon
