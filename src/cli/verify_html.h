#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace tenon::cli {

/// The report of `verify` as one HTML page that needs no other file.
std::string VerifyHtml(const nlohmann::ordered_json& report);

}  // namespace tenon::cli
