#include "fuzzing.h"
#include "vision/image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return tenon::fuzzing::Try([&] { tenon::DecodeImage(tenon::fuzzing::Bytes(data, size), "fuzz"); });
}
