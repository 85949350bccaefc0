#include "cli/precisions.h"

#include "base/error.h"

namespace tenon::cli {

std::vector<PrecisionSupport> PrecisionsOf(const CpuDevice& device) {
  const auto& features = device.features;
  return {{"fp32", true, features.avx2_fma ? "" : "avx2 and fma: layers run on the slow reference"},
          {"half", features.avx512_bf16, features.avx512_bf16 ? "" : "avx512_bf16"},
          {"int8", features.avx512_vnni,
           features.avx512_vnni ? "" : "avx512_vnni: sums are exact all the same, but slower"}};
}

ModelOptions InPrecision(ModelOptions options, const std::string& name, const std::string& flag) {
  if (name != "fp32" && name != "half" && name != "int8")
    ThrowInvalid({.what = "unknown precision", .where = flag, .got = name, .expected = "fp32, half or int8"});
  options.half = name == "half";
  options.int8 = name == "int8";
  return options;
}

}  // namespace tenon::cli
