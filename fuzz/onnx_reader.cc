#include "compile/compiler.h"
#include "fuzzing.h"
#include "onnx/importer.h"
#include "support/guarded_run.h"

/// Reads the model, compiles it without timing (passes, views, memory plan, packing) and runs it once where it is
/// small.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return tenon::fuzzing::Try([&] {
    auto graph = tenon::ImportOnnx(tenon::fuzzing::Bytes(data, size));
    static const tenon::CpuDevice device = tenon::CpuDevice::Detect();
    tenon::TimingCache cache;
    const auto result = tenon::CompileFor(std::move(graph), device, {.tune = {.effort = 0}}, cache);
    tenon::testing_support::RunGuarded(*result.engine);
  });
}
