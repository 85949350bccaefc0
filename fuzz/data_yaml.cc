#include "vision/data_yaml.h"

#include "fuzzing.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return tenon::fuzzing::Try(
      [&] { tenon::ParseDataYaml(std::string(tenon::fuzzing::Text(data, size)), "/nowhere/data.yaml", "val"); });
}
