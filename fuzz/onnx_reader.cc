#include "backends/cpu/cpu_device.h"
#include "compile/compiler.h"
#include "fuzzing.h"
#include "onnx/importer.h"
#include "onnx/writer.h"
#include "support/guarded_run.h"

namespace {

/// What the writer can't say it refuses; what it wrote may be refused too (opset 20 is stricter than an old model).
void WriteAndRead(const tenon::Graph& graph) {
  tenon::fuzzing::Try([&] {
    const std::string written = tenon::PrintOnnx(graph);
    tenon::ImportOnnx(std::as_bytes(std::span(written)));
  });
}

}  // namespace

/// Reads the model, writes it as ONNX, compiles it without timing (passes, views, memory plan, packing) and runs it
/// once where it is small.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return tenon::fuzzing::Try([&] {
    auto graph = tenon::ImportOnnx(tenon::fuzzing::Bytes(data, size));
    WriteAndRead(*graph);
    static const tenon::CpuDevice device = tenon::CpuDevice::Detect();
    tenon::TimingCache cache;
    const auto result = tenon::CompileFor(std::move(graph), device, {.tune = {.effort = 0}}, cache);
    tenon::testing_support::RunGuarded(*result.engine);
  });
}
