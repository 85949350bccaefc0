#pragma once
#include <nlohmann/json.hpp>

#include "verify/latency.h"

namespace tenon {

/// The contract's "latency_ms": median, p90, p95, p99, min, mean.
nlohmann::ordered_json ToJson(const LatencyStats& stats);
/// load_average_start, load_average_end, others_share, steal_share; the shares null where they could not be read.
nlohmann::ordered_json ToJson(const HostLoad& load);

}  // namespace tenon
