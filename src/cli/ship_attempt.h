#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/program.h"
#include "verify/ship_plan.h"

namespace tenon::cli {

/// One engine that `ship` built, or could not build, and what the matrix said of it.
struct ShipAttempt {
  ShipSettings settings;
  std::string remedy;     ///< why these settings; empty: the first of its precision
  std::string not_built;  ///< why there is no engine; empty: there is one
  ShipOutcome outcome;
  double build_s = 0, verify_s = 0;
  double int8_flops_share = 0;
  int64_t size_bytes = 0;

  bool passed() const { return not_built.empty() && MatrixResult{outcome.checks}.passed(); }
  /// Names of the checks that stand in the way: those that failed, else those that could not be judged and must be.
  std::vector<std::string> Failed() const;
};

/// One element of "attempts" (docs/cli.md).
nlohmann::ordered_json ToJson(const ShipAttempt& attempt);

/// "mse, 300 images, weight rounding nearest, 0.5 points for the search": how an attempt of this JSON was built.
std::string DescribeSettings(const nlohmann::ordered_json& attempt);

/// "attempts" of the JSON of `ship`, or of what an engine keeps, as a table; what doesn't look like it is skipped.
std::string AttemptsTable(const nlohmann::ordered_json& attempts);

}  // namespace tenon::cli
