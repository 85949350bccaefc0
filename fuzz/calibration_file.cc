#include "quantize/calibration_file.h"

#include "fuzzing.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return tenon::fuzzing::Try([&] {
    const auto calibration = tenon::ParseCalibration(tenon::fuzzing::Text(data, size));
    tenon::ParseCalibration(tenon::PrintCalibration(calibration));
  });
}
