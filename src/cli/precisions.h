#pragma once
#include <string>
#include <vector>

#include "cli/model_source.h"

namespace tenon::cli {

/// One precision and what a device says to it.
struct PrecisionSupport {
  std::string name;     ///< as --precision and --precisions spell it
  bool native = false;  ///< engines in it can be built for the device
  std::string missing;  ///< what it lacks; fp32 is native even then, but slow
};

/// Every precision that Tenon knows, most exact first.
std::vector<PrecisionSupport> PrecisionsOf(const Device& device);

/// The options with --half, --int8 set for a precision by its name. Throws Error(kInvalidInput) for unknown names.
/// @param flag where the name was given
ModelOptions InPrecision(ModelOptions options, const std::string& name, const std::string& flag);

}  // namespace tenon::cli
