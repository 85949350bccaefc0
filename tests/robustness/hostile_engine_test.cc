// Engines whose parts were changed on purpose, with right digests: each is refused, or runs inside its memory.
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/error.h"
#include "engine/validate.h"
#include "robustness/engines.h"
#include "support/guarded_run.h"

namespace tenon {
namespace {

using testing_support::FileBytes;

/// 1 where the engine was read, 2 where a plan of it ran, too. Any other error than a refusal fails the test.
int Try(const FileBytes& file, const std::string& path) {
  testing_support::WriteBytes(path, file);
  int reached = 0;
  try {
    const auto engine = ReadEngine(path);
    reached = 1;
    if (testing_support::RunGuarded(*engine) > 0) reached = 2;
    TimingCache cache;
    AddPlanForCpu(*engine, CpuDevice::Detect(), {.effort = 0}, cache);
  } catch (const Error& error) {
    EXPECT_TRUE(error.code() == ErrorCode::kInvalidInput || error.code() == ErrorCode::kUnsupportedDevice)
        << error.what();
  }
  return reached;
}

TEST(HostileEngineTest, RefusedOrInsideItsMemory) {
  const testing_support::ScratchFolder folder;
  const char* wanted = std::getenv("TENON_HOSTILE_ENGINES");
  const int cases = wanted ? std::atoi(wanted) : 150;
  std::mt19937 random(20261123);
  for (const std::string& model : testing_support::SeedModels()) {
    SCOPED_TRACE(model);
    const FileBytes engine = testing_support::BuildEngine(model, folder);
    if (engine.empty()) continue;
    EXPECT_EQ(Try(engine, folder / "hostile.tenon"), 2) << "the engine as it was built";
    int ran = 0;
    for (int i = 0; i < cases && !HasFailure(); ++i) {
      const FileBytes hostile = testing_support::MutateEngine(engine, random);
      // Kept for the post-mortem of a crash.
      ran += Try(hostile, folder / "hostile.tenon") == 2 ? 1 : 0;
    }
    EXPECT_GT(ran, 0) << "no changed engine ever ran: the test shows little";
  }
}

TEST(HostileEngineTest, MendedDigestsAreRight) {
  const testing_support::ScratchFolder folder;
  FileBytes engine = testing_support::BuildEngine(testing_support::SeedModels().front(), folder);
  FileBytes mended = engine;
  mended[70] ^= std::byte{1};
  testing_support::MendDigests(mended);
  EXPECT_NE(mended, engine);
  mended = engine;
  testing_support::MendDigests(mended);
  EXPECT_EQ(mended, engine);
}

}  // namespace
}  // namespace tenon
