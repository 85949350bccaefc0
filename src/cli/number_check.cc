#include "cli/number_check.h"

#include <fmt/format.h>

namespace tenon::cli {

CLI::Validator NumberBetween(double low, double high) {
  const auto check = [low, high](const std::string& text) -> std::string {
    double value = 0;
    if (CLI::detail::lexical_cast(text, value) && value >= low && value <= high) return {};
    return fmt::format("got {}, expected {} to {}", text, low, high);
  };
  return CLI::Validator(check, fmt::format("{} to {}", low, high));
}

}  // namespace tenon::cli
