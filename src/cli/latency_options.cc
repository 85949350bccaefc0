#include "cli/latency_options.h"

#include "cli/number_check.h"

namespace tenon::cli {

void AddLatencyFlags(CLI::App& command, LatencyOptions& options) {
  command.add_option("--warmup-ms", options.warmup_ms, "untimed runs before")
      ->check(NumberBetween(0, 1e9))
      ->capture_default_str();
  command.add_option("--duration-s", options.duration_s, "measure at least so long")
      ->check(NumberBetween(0, 1e6))
      ->capture_default_str();
  command.add_option("--iterations", options.iterations, "and at least so many runs")
      ->check(CLI::Range(1, 100'000'000))
      ->capture_default_str();
}

}  // namespace tenon::cli
