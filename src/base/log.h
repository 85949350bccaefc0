#pragma once
#include <spdlog/spdlog.h>

namespace tenon {

/// The program's logger: writes to stderr, so that stdout stays free for results.
spdlog::logger& Log();

}  // namespace tenon
