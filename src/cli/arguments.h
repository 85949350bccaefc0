#pragma once
#include <string>
#include <vector>

namespace tenon::cli {

/// Turns the Ultralytics form into flags: `val model=best.tenon data=x.yaml half=True` becomes
/// `val best.tenon --data=x.yaml --half=true`. Everything else stays. The program's name is not among the arguments.
std::vector<std::string> TranslateKeyValues(const std::vector<std::string>& arguments);

}  // namespace tenon::cli
