#include "engine/step_dependencies.h"

#include <gtest/gtest.h>

namespace tenon {
namespace {

/// A piece of an NHWC tensor of 4 x 4 pixels of `pitch` bytes: channels [first, first + channels) of one byte each.
ProgramOperand Channels(int64_t base, int64_t pitch, int64_t first, int64_t channels) {
  return {.memory = MemoryKind::kArena,
          .dtype = DType::kUInt8,
          .offset_bytes = base + first,
          .shape = {1, channels, 4, 4},
          .strides_bytes = {16 * pitch, 1, 4 * pitch, pitch}};
}

ProgramStep Step(std::vector<ProgramOperand> inputs, std::vector<ProgramOperand> outputs) {
  return {.inputs = std::move(inputs), .outputs = std::move(outputs)};
}

bool Never(const ProgramStep&) { return false; }

TEST(MayOverlapTest, ChannelsOfOneTensorAreTold) {
  EXPECT_FALSE(MayOverlap(Channels(0, 64, 0, 32), Channels(0, 64, 32, 32)));
  EXPECT_TRUE(MayOverlap(Channels(0, 64, 0, 33), Channels(0, 64, 32, 32)));
  EXPECT_TRUE(MayOverlap(Channels(0, 64, 0, 64), Channels(0, 64, 32, 8)));
  EXPECT_FALSE(MayOverlap(Channels(0, 64, 0, 64), Channels(1024, 64, 0, 64)));
}

TEST(MayOverlapTest, RowsOfOneTensorAreTold) {
  ProgramOperand upper = Channels(0, 8, 0, 8), lower = upper;
  upper.shape[2] = lower.shape[2] = 2;
  lower.offset_bytes = 64;
  EXPECT_FALSE(MayOverlap(upper, lower));
  lower.offset_bytes = 32;
  EXPECT_TRUE(MayOverlap(upper, lower));
}

TEST(MayOverlapTest, OtherPitchesAndMemoriesAreSafe) {
  EXPECT_TRUE(MayOverlap(Channels(0, 64, 0, 32), Channels(0, 48, 32, 16)));
  ProgramOperand input = Channels(0, 64, 0, 64), output = input;
  output.memory = MemoryKind::kOutput;
  EXPECT_FALSE(MayOverlap(input, output));
}

TEST(MayOverlapTest, AgreesWithTheBytesThemselves) {
  // Every pair of slices of a small tensor, seen with pitches of 12 or 24 bytes: never apart when a byte is shared.
  const auto bytes = [](const ProgramOperand& o) {
    std::vector<bool> touched(1000, false);
    for (int64_t c = 0; c < o.shape[1]; ++c)
      for (int64_t y = 0; y < 4; ++y)
        for (int64_t x = 0; x < 4; ++x)
          touched[static_cast<size_t>(o.offset_bytes + c + y * o.strides_bytes[2] + x * o.strides_bytes[3])] = true;
    return touched;
  };
  std::vector<ProgramOperand> operands;
  for (const int64_t pitch : {12, 24})
    for (int64_t first = 0; first < pitch; first += 3)
      for (int64_t channels = 1; first + channels <= pitch; channels += 4)
        operands.push_back(Channels(24 * (first % 2), pitch, first, channels));
  int apart = 0;
  for (const ProgramOperand& a : operands)
    for (const ProgramOperand& b : operands) {
      const auto in_a = bytes(a), in_b = bytes(b);
      bool shares = false;
      for (size_t i = 0; i < in_a.size(); ++i) shares = shares || (in_a[i] && in_b[i]);
      if (shares) EXPECT_TRUE(MayOverlap(a, b));
      if (!MayOverlap(a, b)) ++apart;
    }
  EXPECT_GT(apart, 100);
}

TEST(StepDependenciesTest, BranchesWaitForTheirOwnProducersAlone) {
  // 0 -> {1, 2} -> 3 reads what both wrote, side by side in one tensor.
  Program program;
  const ProgramOperand image = Channels(0, 16, 0, 16), left = Channels(1024, 32, 0, 16), right = Channels(1024, 32, 16, 16);
  program.steps = {Step({}, {image}), Step({image}, {left}), Step({image}, {right}),
                   Step({Channels(1024, 32, 0, 32)}, {Channels(4096, 16, 0, 16)})};
  const auto dependencies = StepDependencies(program, Never);
  EXPECT_EQ(dependencies, (std::vector<std::vector<size_t>>{{}, {0}, {0}, {2, 1}}));
  const auto ancestors = StepAncestors(dependencies);
  EXPECT_EQ(ancestors[3], (std::vector<bool>{true, true, true}));
  EXPECT_EQ(ancestors[2], (std::vector<bool>{true, false}));
}

TEST(StepDependenciesTest, MemoryThatIsUsedAgainIsWaitedFor) {
  // Step 2 writes where step 1 reads, without reading anything that step 1 wrote.
  Program program;
  const ProgramOperand a = Channels(0, 16, 0, 16), b = Channels(1024, 16, 0, 16);
  program.steps = {Step({}, {a}), Step({a}, {b}), Step({}, {a})};
  EXPECT_EQ(StepDependencies(program, Never)[2], (std::vector<size_t>{1}));
  program.steps[2] = Step({}, {Channels(2048, 16, 0, 16)});
  EXPECT_EQ(StepDependencies(program, Never)[2], (std::vector<size_t>{}));
  EXPECT_EQ(StepDependencies(program, [&](const ProgramStep& step) { return &step == &program.steps[2]; })[2],
            (std::vector<size_t>{1}));
}

}  // namespace
}  // namespace tenon
