#include "verify/json.h"

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

}  // namespace tenon
