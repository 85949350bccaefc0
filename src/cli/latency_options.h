#pragma once
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "verify/latency.h"

namespace tenon::cli {

/// --warmup-ms, --duration-s and --iterations, with the defaults that `options` has.
void AddLatencyFlags(CLI::App& command, LatencyOptions& options);

/// The contract's "latency_ms": median, p90, p95, p99, min, mean.
nlohmann::ordered_json ToJson(const LatencyStats& stats);
nlohmann::ordered_json ToJson(const HostLoad& load);

}  // namespace tenon::cli
