#include "verify/check.h"

#include <fmt/format.h>

#include <cmath>

namespace tenon {

std::string_view ToString(CheckStatus status) {
  switch (status) {
    case CheckStatus::kPass:
      return "pass";
    case CheckStatus::kFail:
      return "fail";
    case CheckStatus::kNotJudged:
      return "not_judged";
  }
  return "not_judged";
}

std::string DropText(double drop) {
  return fmt::format("{:.2f} points {}", std::abs(drop), drop < 0 ? "higher" : "lower");
}

nlohmann::ordered_json ToJson(const Check& check) {
  const auto number = [](const std::optional<double>& value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
  };
  nlohmann::ordered_json json = {{"name", check.name},
                                 {"status", ToString(check.status)},
                                 {"value", number(check.value)},
                                 {"threshold", number(check.threshold)},
                                 {"detail", check.detail}};
  if (check.more.is_object()) json.update(check.more);
  return json;
}

}  // namespace tenon
