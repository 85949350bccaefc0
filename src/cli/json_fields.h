#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

// Reading reports that may be of another version of Tenon or of anybody: what isn't there, or is of another type, is
// shown as such and never an error.
namespace tenon::cli {

/// The string of this name; "" when it is none.
std::string TextField(const nlohmann::ordered_json& json, const char* key);

/// The number of this name times `unit`, in this fmt format of a double; "-" when it is none.
std::string NumberField(const nlohmann::ordered_json& json, const char* key, const char* format = "{:.4g}",
                        double unit = 1);

/// The number of this name; nothing when it is none.
std::optional<double> Number(const nlohmann::ordered_json& json, const char* key);

/// The array or object of this name; an empty one of no type when there is none.
const nlohmann::ordered_json& Child(const nlohmann::ordered_json& json, const char* key);

}  // namespace tenon::cli
