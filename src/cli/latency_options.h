#pragma once
#include <CLI/CLI.hpp>

#include "verify/json.h"
#include "verify/latency.h"

namespace tenon::cli {

/// --warmup-ms, --duration-s and --iterations, with the defaults that `options` has.
void AddLatencyFlags(CLI::App& command, LatencyOptions& options);

}  // namespace tenon::cli
