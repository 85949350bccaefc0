#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "quantize/assignment.h"
#include "quantize/int8_build.h"
#include "quantize/quality.h"

namespace tenon {

/// All that a report of an INT8 build tells.
struct Int8Facts {
  const Int8BuildOptions& options;
  const Assignment& assignment;
  int64_t images = 0;          ///< that were calibrated on
  std::optional<Drift> drift;  ///< from the val images
  int equalised = 0;           ///< tensors with a factor per channel
};

/// A few lines, the layers that are not in INT8 among them.
std::string DescribeInt8(const Int8Facts& facts);
nlohmann::ordered_json Int8ToJson(const Int8Facts& facts);

}  // namespace tenon
