#include "fuzzing.h"
#include "onnx/importer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return tenon::fuzzing::Try([&] { tenon::ImportOnnx(tenon::fuzzing::Bytes(data, size)); });
}
