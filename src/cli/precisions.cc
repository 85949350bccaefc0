#include "cli/precisions.h"

#include "base/error.h"

namespace tenon::cli {

std::vector<PrecisionSupport> PrecisionsOf(const Device& device) {
  return {{"fp32", true, device.Fp32Obstacle()},
          {"half", device.half_type().has_value(), device.HalfObstacle()},
          {"int8", device.Int8Obstacle().empty(), device.Int8Obstacle()}};
}

ModelOptions InPrecision(ModelOptions options, const std::string& name, const std::string& flag) {
  if (name != "fp32" && name != "half" && name != "int8")
    ThrowInvalid({.what = "unknown precision", .where = flag, .got = name, .expected = "fp32, half or int8"});
  options.half = name == "half";
  options.int8 = name == "int8";
  return options;
}

}  // namespace tenon::cli
