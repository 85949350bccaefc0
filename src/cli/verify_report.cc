#include "cli/verify_report.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "cli/json_fields.h"
#include "cli/ship_attempt.h"
#include "engine/engine_file.h"

namespace tenon::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string Row(const Json& check) {
  return fmt::format("{:<21}{:<12}{:>10}{:>11}  {}\n", TextField(check, "name"), TextField(check, "status"),
                     NumberField(check, "value"), NumberField(check, "threshold"), TextField(check, "detail"));
}

std::string Verdict(const Json& report) {
  std::string failed, not_judged;
  for (const Json& check : report["checks"]) {
    const std::string status = TextField(check, "status");
    std::string* list = status == "fail" ? &failed : status == "not_judged" ? &not_judged : nullptr;
    if (list) *list += (list->empty() ? "" : ", ") + TextField(check, "name");
  }
  const bool passed = report.contains("passed") && report["passed"].is_boolean() && report["passed"].get<bool>();
  return fmt::format("{}{}{}\n", passed ? "passed" : "NOT PASSED", failed.empty() ? "" : "; failed: " + failed,
                     not_judged.empty() ? "" : "; not judged: " + not_judged);
}

bool MayWrite(const std::string& path) {
  std::error_code error;
  const auto permissions = std::filesystem::status(path, error).permissions();
  return !error && (permissions & std::filesystem::perms::owner_write) != std::filesystem::perms::none;
}

}  // namespace

std::optional<Json> ParseVerifyReport(const std::string& text) {
  constexpr int kMaxDepth = 8;  // ours has five; printing JSON takes stack for each
  const auto shallow = [](int depth, Json::parse_event_t, Json&) { return depth < kMaxDepth; };
  Json json = Json::parse(text, shallow, false);
  if (!json.is_object()) return std::nullopt;
  return json;
}

std::string DescribeVerifyReport(const Json& report) {
  return fmt::format("verified {} with {}\n{}{}", TextField(report, "date"), TextField(report, "data"),
                     AttemptsTable(Child(report, "attempts")), VerifyTable(report));
}

std::string VerifyTable(const Json& report) {
  if (!report.is_object()) return "";
  std::string text = fmt::format("{:<21}{:<12}{:>10}{:>11}\n", "check", "status", "value", "threshold");
  if (const auto checks = report.find("checks"); checks != report.end() && checks->is_array()) {
    for (const Json& check : *checks) text += Row(check);
    text += Verdict(report);
  }
  return text;
}

void KeepInEngine(const std::string& path, const std::string& digest, const Json& report) {
  try {
    if (!MayWrite(path)) {
      Log().warn("the result is not kept in the engine: {} is read-only", path);
      return;
    }
    if (HashFile(path).ToString() != digest) {
      Log().warn("the result is not kept in the engine: {} has changed since it was verified", path);
      return;
    }
    const auto model = ReadEngine(path);
    model->reports[kVerifyReport] = report.dump(2, ' ', false, Json::error_handler_t::replace);
    WriteEngine(*model, path);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInterrupted) throw;
    Log().warn("the result is not kept in the engine: {}", error.what());
  }
}

}  // namespace tenon::cli
