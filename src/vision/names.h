#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace tenon {

/// Class names as exporters write them into a model's metadata: a Python dict {0: 'person', 1: "driver's cab"} or list
/// ['person', ...]; numbers not in the dict get the name class_N. Throws Error(kInvalidInput) on anything else.
std::vector<std::string> ParseNames(std::string_view text);

}  // namespace tenon
