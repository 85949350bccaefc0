#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace tenon::cli {

/// The name under which an engine keeps the JSON of its last verification (EngineModel::reports).
inline constexpr const char* kVerifyReport = "verify";

/// A report that an engine keeps as JSON: of any text, also a hostile one, an object of little depth; nothing when it
/// is none.
std::optional<nlohmann::ordered_json> ParseVerifyReport(const std::string& text);
/// "verified 2026-11-23T20:00:00Z on DEVICE" and the table, for inspect.
std::string DescribeVerifyReport(const nlohmann::ordered_json& report);

/// The matrix as a table, from the JSON of `verify` or from what an engine keeps; what doesn't look like it is skipped.
std::string VerifyTable(const nlohmann::ordered_json& report);

/// Puts the report into the engine file; plans and weights stay byte for byte. A file that may not be written, or that
/// is not the one that was verified any more, is a warning.
/// @param digest of the file that was verified (HashFile)
void KeepInEngine(const std::string& path, const std::string& digest, const nlohmann::ordered_json& report);

}  // namespace tenon::cli
