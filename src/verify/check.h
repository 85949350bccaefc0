#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace tenon {

enum class CheckStatus {
  kPass,
  kFail,
  kNotJudged,  ///< nothing to judge by (no budget, no labels): no pass, but no failure either
};

/// "pass", "fail", "not_judged".
std::string_view ToString(CheckStatus status);

/// One line of the verification matrix.
struct Check {
  std::string name;
  CheckStatus status = CheckStatus::kNotJudged;
  std::optional<double> value, threshold;  ///< in the unit that `detail` names
  std::string detail;                      ///< one sentence or two for people
  nlohmann::ordered_json more;             ///< further fields of the check's JSON object; null: none
};

/// The contract's {"name", "status", "value", "threshold", "detail", ...}.
nlohmann::ordered_json ToJson(const Check& check);

/// "0.12 points lower" than the source for a drop of 0.12, "0.12 points higher" for one of -0.12.
std::string DropText(double drop);

inline CheckStatus PassIf(bool passed) { return passed ? CheckStatus::kPass : CheckStatus::kFail; }

}  // namespace tenon
