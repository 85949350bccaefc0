#pragma once
#include <CLI/CLI.hpp>

namespace tenon::cli {

/// A number from `low` to `high`. CLI11's own checks let NaN pass, and print limits of a double with 309 digits.
CLI::Validator NumberBetween(double low, double high);

}  // namespace tenon::cli
