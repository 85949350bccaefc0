#pragma once
#include <nlohmann/json.hpp>

#include "engine/program.h"
#include "tenon/tenon.hpp"

namespace tenon::cli {

/// [{"name", "op", "precision", "ms"}] of every step of the engine, in its order: means over the quietest of 20 runs on
/// random input. Throws Error(kInterrupted) after Ctrl-C.
nlohmann::ordered_json MeasureLayers(const Engine& engine, const Program& plan, int threads);

}  // namespace tenon::cli
