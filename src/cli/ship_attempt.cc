#include "cli/ship_attempt.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/json_fields.h"

namespace tenon::cli {
namespace {

using Json = nlohmann::ordered_json;

const Check* FindCheck(const ShipAttempt& attempt, const std::string& name) {
  for (const Check& check : attempt.outcome.checks) {
    if (check.name == name) return &check;
  }
  return nullptr;
}

/// A field of a check's JSON; null when the check isn't there.
Json FieldOf(const Check* check, const char* key) {
  if (!check) return {};
  const Json json = tenon::ToJson(*check);
  return json.contains(key) ? json[key] : Json();
}

Json SettingsJson(const ShipAttempt& attempt) {
  const ShipSettings& settings = attempt.settings;
  Json json = {{"effort", settings.effort}};
  if (attempt.outcome.calibration_images == 0) return json;
  json.update(Json{{"calibration", settings.calibration},
                   {"weight_rounding", settings.weight_rounding},
                   {"calibration_images", attempt.outcome.calibration_images},
                   {"search_drop", settings.search_drop}});
  return json;
}

/// What the first check that stands in the way said.
std::string Detail(const ShipAttempt& attempt) {
  if (!attempt.not_built.empty()) return attempt.not_built;
  const auto failed = attempt.Failed();
  const Check* check = failed.empty() ? nullptr : FindCheck(attempt, failed.front());
  return check ? check->detail : "";
}

std::string Names(const Json& attempt) {
  std::vector<std::string> names;
  const auto found = attempt.find("failed");
  if (found != attempt.end() && found->is_array()) {
    for (const Json& name : *found) {
      if (name.is_string()) names.push_back(name.get<std::string>());
    }
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string Row(size_t number, const Json& attempt) {
  const std::string status = TextField(attempt, "status"), remedy = TextField(attempt, "remedy");
  const std::string verdict = status == "failed"      ? "failed: " + Names(attempt)
                              : status == "not_built" ? "not built: " + TextField(attempt, "detail")
                                                      : status;
  return fmt::format("{:<2} {:<5}{:>9}{:>8}{:>9}{:>7}{:>7}{:>8}  {}; {}{}\n", number, TextField(attempt, "precision"),
                     NumberField(attempt, "map50_95", "{:.2f}", 100), NumberField(attempt, "map_drop", "{:.2f}"),
                     NumberField(attempt, "p95_ms", "{:.2f}"), NumberField(attempt, "int8_flops_share", "{:.0f}%", 100),
                     NumberField(attempt, "size_bytes", "{:.1f}", 1e-6), NumberField(attempt, "seconds", "{:.1f}"),
                     verdict, remedy.empty() ? "" : remedy + ": ", DescribeSettings(attempt));
}

}  // namespace

std::vector<std::string> ShipAttempt::Failed() const {
  const MatrixResult matrix{outcome.checks};
  auto names = matrix.Named(CheckStatus::kFail);
  return names.empty() && !passed() ? matrix.Named(CheckStatus::kNotJudged) : names;
}

Json ToJson(const ShipAttempt& attempt) {
  const Check *map = FindCheck(attempt, "map"), *latency = FindCheck(attempt, "p95_latency");
  const Json engine_ms = FieldOf(latency, "engine_ms");
  return {{"precision", attempt.settings.precision},
          {"remedy", attempt.remedy},
          {"settings", SettingsJson(attempt)},
          {"status", !attempt.not_built.empty() ? "not_built"
                     : attempt.passed()         ? "passed"
                                                : "failed"},
          {"failed", attempt.Failed()},
          {"detail", Detail(attempt)},
          {"map50_95", FieldOf(map, "engine")},
          {"map_drop", FieldOf(map, "value")},
          {"p95_ms", FieldOf(latency, "value")},
          {"median_ms", engine_ms.is_object() ? engine_ms["median"] : Json()},
          {"int8_flops_share", attempt.not_built.empty() ? Json(attempt.int8_flops_share) : Json()},
          {"size_bytes", attempt.not_built.empty() ? Json(attempt.size_bytes) : Json()},
          {"build_s", attempt.build_s},
          {"verify_s", attempt.verify_s},
          {"seconds", attempt.build_s + attempt.verify_s}};
}

std::string DescribeSettings(const Json& attempt) {
  const auto found = attempt.is_object() ? attempt.find("settings") : attempt.end();
  if (!attempt.is_object() || found == attempt.end() || !found->is_object()) return "";
  std::string text = fmt::format("effort {}", NumberField(*found, "effort", "{:.0f}"));
  if (!found->contains("calibration")) return text;
  return fmt::format("{} on {} images, weight rounding {}, {} points for the search, {}",
                     TextField(*found, "calibration"), NumberField(*found, "calibration_images", "{:.0f}"),
                     TextField(*found, "weight_rounding"), NumberField(*found, "search_drop", "{:g}"), text);
}

std::string AttemptsTable(const Json& attempts) {
  if (!attempts.is_array()) return "";
  std::string text = fmt::format("{:<2} {:<5}{:>9}{:>8}{:>9}{:>7}{:>7}{:>8}  {}\n", "", "try", "mAP50-95", "drop",
                                 "p95 ms", "int8", "MB", "s", "what came of it; how it was built");
  size_t number = 0;
  for (const Json& attempt : attempts) {
    if (attempt.is_object()) text += Row(++number, attempt);
  }
  return text;
}

}  // namespace tenon::cli
