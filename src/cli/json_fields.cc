#include "cli/json_fields.h"

#include <fmt/format.h>

namespace tenon::cli {

using Json = nlohmann::ordered_json;

const Json& Child(const Json& json, const char* key) {
  static const Json kNone;
  const auto found = json.is_object() ? json.find(key) : json.end();
  return json.is_object() && found != json.end() ? *found : kNone;
}

std::string TextField(const Json& json, const char* key) {
  const Json& field = Child(json, key);
  return field.is_string() ? field.get<std::string>() : "";
}

std::optional<double> Number(const Json& json, const char* key) {
  const Json& field = Child(json, key);
  return field.is_number() ? std::optional(field.get<double>()) : std::nullopt;
}

std::string NumberField(const Json& json, const char* key, const char* format, double unit) {
  const auto number = Number(json, key);
  return number ? fmt::format(fmt::runtime(format), *number * unit) : "-";
}

}  // namespace tenon::cli
