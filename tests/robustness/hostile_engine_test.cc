// Engines whose parts were changed on purpose, with right digests: each is refused, or runs inside its memory.
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "backends/cpu/cpu_device.h"
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
    AddPlan(*engine, CpuDevice::Detect(), {.effort = 0}, cache);
  } catch (const Error& error) {
    EXPECT_TRUE(error.code() == ErrorCode::kInvalidInput || error.code() == ErrorCode::kUnsupportedDevice)
        << error.what();
  }
  return reached;
}

/// Engines that come of changing one, a good one.
void TryMany(const FileBytes& engine, std::mt19937& random, const std::string& path) {
  const char* wanted = std::getenv("TENON_HOSTILE_ENGINES");
  const int cases = wanted ? std::atoi(wanted) : 150;
  EXPECT_EQ(Try(engine, path), 2) << "the engine as it was built";
  int ran = 0;
  for (int i = 0; i < cases && !testing::Test::HasFailure(); ++i) {
    const FileBytes hostile = testing_support::MutateEngine(engine, random);
    // Kept for the post-mortem of a crash.
    ran += Try(hostile, path) == 2 ? 1 : 0;
  }
  EXPECT_GT(ran, 0) << "no changed engine ever ran: the test shows little";
}

TEST(HostileEngineTest, RefusedOrInsideItsMemory) {
  const testing_support::ScratchFolder folder;
  std::mt19937 random(20261123);
  for (const std::string& model : testing_support::SeedModels()) {
    SCOPED_TRACE(model);
    const FileBytes engine = testing_support::BuildEngine(model, folder);
    if (engine.empty()) continue;
    TryMany(engine, random, folder / "hostile.tenon");
  }
}

TEST(HostileEngineTest, ThoseOfTwoBatchSizesToo) {
  const testing_support::ScratchFolder folder;
  std::mt19937 random(7);
  TryMany(testing_support::BuildEngineOfTwoSizes(folder), random, folder / "hostile.tenon");
}

/// Found by fuzzing: FlatBuffers' iterator over such a vector is undefined behaviour, which ubsan stops.
TEST(HostileEngineTest, MisalignedVectorsAreRead) {
  const testing_support::ScratchFolder folder;
  FileBytes engine = testing_support::BuildEngine(
      std::string(TENON_SOURCE_DIR) + "/fuzz/corpus/onnx_reader/net_backbone.onnx", folder);
  testing_support::WriteBytes(folder / "engine.tenon", engine);
  std::vector<int64_t> expected = ReadEngine(folder / "engine.tenon")->inputs.at(0).shape;
  expected.erase(expected.begin());
  testing_support::MisalignInputShape(engine);
  testing_support::WriteBytes(folder / "engine.tenon", engine);
  try {
    EXPECT_EQ(ReadEngine(folder / "engine.tenon")->inputs.at(0).shape, expected);
  } catch (const Error& error) {  // read, and found to be another shape than the plan's
    EXPECT_EQ(error.code(), ErrorCode::kInvalidInput) << error.what();
    EXPECT_NE(std::string(error.what()).find(fmt::format("{}", fmt::join(expected, "x"))), std::string::npos)
        << error.what();
  }
}

/// Found by fuzzing: a product without its output, which still had a shape and no strides.
TEST(HostileEngineTest, StepsWithoutTheirOutputAreRefused) {
  TimingCache cache;
  const CpuDevice device = CpuDevice::Detect();
  const auto compiled = CompileFor(Parse(R"(graph "net" {
    input %x: f32[1,4,64]
    const %w: f32[64,64] = random(1)
    %y = MatMul(%x, %w)
    output %y "y"
  })",
                                         &MakeOp),
                                   device, {.tune = {.effort = 0}}, cache);
  auto program = std::make_shared<Program>(*compiled.engine->plans[0]);
  ASSERT_EQ(program->steps[0].family, "matmul");
  program->steps[0].outputs[0].memory = MemoryKind::kAbsent;
  program->steps[0].outputs[0].strides_bytes.clear();
  compiled.engine->plans[0] = program;
  EXPECT_THROW(testing_support::RunGuarded(*compiled.engine), Error);
  TimingCache another;  // a plan built from it unpacks that step's constants
  EXPECT_THROW(AddPlan(*compiled.engine, device, {.effort = 0}, another), Error);
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
