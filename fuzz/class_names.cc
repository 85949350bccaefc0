#include "fuzzing.h"
#include "vision/names.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return tenon::fuzzing::Try([&] { tenon::ParseNames(tenon::fuzzing::Text(data, size)); });
}
