#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace tenon::cli {

/// The charts of a report, from the JSON of `verify` or `ship`: mAP50-95 of what was built beside the source and the
/// least that is allowed, the latency of single runs with its percentiles and budget, AP of each class (the largest
/// loss first), the layers that take most of the time. Charts without data are left out.
std::vector<std::string> ReportCharts(const nlohmann::ordered_json& report);

/// The check of this name; null where the report has none.
const nlohmann::ordered_json& FindCheck(const nlohmann::ordered_json& report, const std::string& name);

}  // namespace tenon::cli
