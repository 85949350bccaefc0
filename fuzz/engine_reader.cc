#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <random>
#include <string>

#include "backends/cpu/cpu_device.h"
#include "compile/compiler.h"
#include "engine/engine_file.h"
#include "fuzzing.h"
#include "support/engine_mutator.h"
#include "support/guarded_run.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

/// Mostly an engine changed in its parts, with right digests; else bytes, as they come.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  std::mt19937 random(seed);
  if (random() % 8 != 0) {
    const auto mutated = tenon::testing_support::MutateEngine(tenon::fuzzing::Bytes(data, size), random);
    if (!mutated.empty() && mutated.size() <= max_size) {
      std::copy_n(reinterpret_cast<const uint8_t*>(mutated.data()), mutated.size(), data);
      return mutated.size();
    }
  }
  return LLVMFuzzerMutate(data, size, max_size);
}

/// Reads the engine, runs its plans, and builds another plan from its portable part, as `--build` does.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = tenon::fuzzing::Bytes(data, size);
  tenon::testing_support::FileBytes file(bytes.begin(), bytes.end());
  tenon::testing_support::MendDigests(file);
  // The reader maps files: one in memory, written anew each time.
  static const std::string path = "/dev/shm/tenon-fuzz-" + std::to_string(getpid());
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
  return tenon::fuzzing::Try([] {
    const auto engine = tenon::ReadEngine(path);
    tenon::fuzzing::Try([&] { tenon::testing_support::RunGuarded(*engine); });
    static const tenon::CpuDevice device = tenon::CpuDevice::Detect();
    tenon::TimingCache cache;
    tenon::AddPlan(*engine, device, {.effort = 0}, cache);
  });
}
