#pragma once
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "profile/step_report.h"
#include "profile/step_times.h"

namespace tenon {

/// Runs as a Chrome trace (JSON object form), which Perfetto and chrome://tracing open: one track, a complete event per
/// run with the steps as complete events inside it; args hold what the tables show. Times are as measured, in
/// microseconds. @param reports of all steps, in any order; @param title names the track
nlohmann::ordered_json MakeChromeTrace(std::span<const RunRecord> runs, std::span<const StepReport> reports,
                                       const std::string& title);

}  // namespace tenon
