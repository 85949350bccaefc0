#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace tenon::cli {

/// A page with the result of `verify` or `ship`, from its JSON: one self-contained file. What the JSON doesn't have is
/// left out.
std::string VerifyHtml(const nlohmann::ordered_json& report);

}  // namespace tenon::cli
