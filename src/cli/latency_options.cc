#include "cli/latency_options.h"

namespace tenon::cli {

void AddLatencyFlags(CLI::App& command, LatencyOptions& options) {
  command.add_option("--warmup-ms", options.warmup_ms, "untimed runs before")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--duration-s", options.duration_s, "measure at least so long")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--iterations", options.iterations, "and at least so many runs")
      ->check(CLI::Range(1, 100'000'000))
      ->capture_default_str();
}

nlohmann::ordered_json ToJson(const LatencyStats& stats) {
  return {{"median", stats.median}, {"p90", stats.p90}, {"p95", stats.p95},
          {"p99", stats.p99},       {"min", stats.min}, {"mean", stats.mean}};
}

nlohmann::ordered_json ToJson(const HostLoad& load) {
  nlohmann::ordered_json json = {{"load_average_start", load.load_average_start},
                                 {"load_average_end", load.load_average_end}};
  json["others_share"] = load.others_share ? nlohmann::ordered_json(*load.others_share) : nullptr;
  json["steal_share"] = load.steal_share ? nlohmann::ordered_json(*load.steal_share) : nullptr;
  return json;
}

}  // namespace tenon::cli
