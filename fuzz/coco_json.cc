#include "fuzzing.h"
#include "vision/coco_dataset.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return tenon::fuzzing::Try(
      [&] { tenon::internal::ParseCoco(std::string(tenon::fuzzing::Text(data, size)), {.data = "/fuzz.json"}); });
}
