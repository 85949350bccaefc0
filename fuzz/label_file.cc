#include "vision/label_file.h"

#include "fuzzing.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return tenon::fuzzing::Try([&] { tenon::ParseLabels(tenon::fuzzing::Text(data, size), "fuzz", {.num_classes = 3}); });
}
