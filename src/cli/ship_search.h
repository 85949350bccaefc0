#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cli/int8_options.h"
#include "cli/ship_attempt.h"
#include "cli/verify_session.h"

namespace tenon::cli {

/// What `ship` is told.
struct ShipOptions {
  ModelOptions model;
  JudgeOptions judge;
  std::vector<std::string> precisions;  ///< --precision; empty: all that the device computes natively
  std::string output, report;
  Int8Options int8;  ///< how the first INT8 engine is calibrated
  bool calibration_given = false;
};

/// What came of it.
struct ShipResult {
  std::shared_ptr<EngineModel> engine;  ///< that passed; null: none did
  nlohmann::ordered_json report;        ///< of the engine, or of the last that was verified; null: none was built
  std::vector<ShipAttempt> attempts;
  nlohmann::ordered_json fallbacks = nlohmann::ordered_json::array();  ///< {"precision", "reason"} of those given up
};

/// Builds the precisions from the fastest down, verifies each, tries the remedies of ShipPlan for what failed, and ends
/// with the first engine that passes the whole matrix. Writes no engine; calibrations are kept among the caches.
ShipResult SearchEngineToShip(const ShipOptions& options, const GlobalOptions& global);

}  // namespace tenon::cli
