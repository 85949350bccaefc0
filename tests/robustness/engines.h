#pragma once
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "backends/cpu/cpu_device.h"
#include "base/file.h"
#include "compile/compiler.h"
#include "engine/engine_file.h"
#include "ir/text.h"
#include "onnx/importer.h"
#include "ops/op_list.h"
#include "support/engine_mutator.h"

namespace tenon::testing_support {

/// The nets of the fuzz corpus: a few KiB each, together a step of every kernel family.
inline std::vector<std::string> SeedModels() {
  std::vector<std::string> paths;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(TENON_SOURCE_DIR) + "/fuzz/corpus/onnx_reader"))
    paths.push_back(entry.path().string());
  std::sort(paths.begin(), paths.end());
  return paths;
}

/// A folder of this process in memory where there is one: the tests write thousands of files.
class ScratchFolder {
 public:
  ScratchFolder()
      : path_(std::filesystem::path(std::filesystem::exists("/dev/shm") ? "/dev/shm" : "/tmp") /
              ("tenon-robustness-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~ScratchFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

inline FileBytes ReadBytes(const std::string& path) {
  const MappedFile file(path);
  return {file.bytes().begin(), file.bytes().end()};
}

inline void WriteBytes(const std::string& path, std::span<const std::byte> bytes) {
  WriteTextFileAtomically(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

/// The engine of a model for this machine, without timing; empty where the model has no static shapes.
inline FileBytes BuildEngine(const std::string& model, const ScratchFolder& folder) {
  TimingCache cache;
  auto graph = ImportOnnx(model);
  for (const auto& node : graph->nodes()) {
    for (const Value* output : node->outputs()) {
      if (output && !output->has_shape()) return {};
    }
  }
  const auto result = CompileFor(std::move(graph), CpuDevice::Detect(), {.tune = {.effort = 0}}, cache);
  WriteEngine(*result.engine, folder / "built.tenon");
  return ReadBytes(folder / "built.tenon");
}

/// An engine of two batch sizes, for this machine, without timing.
inline FileBytes BuildEngineOfTwoSizes(const ScratchFolder& folder) {
  std::vector<std::unique_ptr<Graph>> graphs;
  for (const char* batch : {"1", "3"}) {
    std::string text = R"(graph "net" {
  input %x: f32[N,8,6,6]
  const %w: f32[16,8,3,3] = random(1)
  const %s: i64[3] = [N, 16, 36]
  %a = Conv(%x, %w) {strides=[1,1], dilations=[1,1], pads=[1,1,1,1], activation=silu}
  %y = Reshape(%a, %s)
  output %y "y"
})";
    for (const char* place : {"f32[N", "[N, 16"}) text.replace(text.find(place) + std::string(place).find('N'), 1, batch);
    graphs.push_back(Parse(text, &MakeOp));
  }
  TimingCache cache;
  WriteEngine(*CompileFor(std::move(graphs), CpuDevice::Detect(), {.tune = {.effort = 0}}, cache).engine,
              folder / "built.tenon");
  return ReadBytes(folder / "built.tenon");
}

}  // namespace tenon::testing_support
