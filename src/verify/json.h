#pragma once
#include <nlohmann/json.hpp>
#include <vector>

#include "verify/latency.h"

namespace tenon {

/// The contract's "latency_ms": median, p90, p95, p99, min, mean.
nlohmann::ordered_json ToJson(const LatencyStats& stats);
/// load_average_start, load_average_end, others_share, steal_share; the shares null where they could not be read.
nlohmann::ordered_json ToJson(const HostLoad& load);

/// {"low", "high", "counts"}: how many times lie in each of 40 equal bins over [low, high] ms; the last one holds the
/// outliers beyond, so that these don't squeeze all others into one. Null without times.
nlohmann::ordered_json TimesHistogram(const std::vector<double>& times_ms);

}  // namespace tenon
