#include "quantize/assignment.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/op_list.h"

namespace tenon {
namespace {

// Four convs of equal FLOPs.
constexpr const char* kChain = R"(graph "g" {
  input %x: f32[1,4,6,6]
  const %w: f32[4,4,3,3] = random(1)
  %a = Conv(%x, %w) {strides=[1,1], dilations=[1,1], pads=[1,1,1,1]} name "a"
  %b = Conv(%a, %w) {strides=[1,1], dilations=[1,1], pads=[1,1,1,1]} name "b"
  %c = Conv(%b, %w) {strides=[1,1], dilations=[1,1], pads=[1,1,1,1]} name "c"
  %d = Conv(%c, %w) {strides=[1,1], dilations=[1,1], pads=[1,1,1,1]} name "d"
  output %d "d"
})";

using Convs = std::set<std::string>;

/// A device and a model whose noises and times add up.
struct World {
  std::map<std::string, double> noise, int8_us, half_us;
  double conversion_us = 0;  ///< of each half conv
  int asked_for_one = 0;

  AssignmentTools Tools() {
    AssignmentTools tools{.progress = Progress::Mode::kQuiet};
    tools.noise = [this](const Convs& int8) {
      asked_for_one += int8.size() == 1;
      double sum = 0;
      for (const auto& name : int8) sum += noise[name];
      return sum;
    };
    tools.times = [this](const Convs& int8) {
      ProgramTimes times;
      for (const auto& [name, us] : int8_us) {
        times.step_us[name] = int8.contains(name) ? us : half_us[name];
        times.total_us += times.step_us[name] + (int8.contains(name) ? 0 : conversion_us);
      }
      return times;
    };
    return tools;
  }
};

World Even() {
  World world;
  for (const char* name : {"a", "b", "c", "d"}) {
    world.noise[name] = 1e-4;
    world.int8_us[name] = 100;
    world.half_us[name] = 200;
  }
  return world;
}

Assignment Choose(World& world, const std::function<Verdict(const Convs&)>& judge = {}) {
  const auto graph = Parse(kChain, &MakeOp);
  AssignmentTools tools = world.Tools();
  tools.judge = judge;
  return ChooseAssignment(*graph, 0.5, tools);
}

TEST(AssignmentTest, AQuietModelIsAllInt8AndNoLayerIsMeasured) {
  World world = Even();
  const Assignment chosen = Choose(world);
  EXPECT_EQ(chosen.int8.size(), 4u);
  EXPECT_NEAR(chosen.flops_share, 1, 1e-9);
  EXPECT_EQ(world.asked_for_one, 0);
  EXPECT_EQ(chosen.all_us, 400);
  EXPECT_EQ(chosen.half_us, 800);
}

TEST(AssignmentTest, ANoisyLayerThatCostsLittleGoesBack) {
  World world = Even();
  world.noise["b"] = 0.1;
  world.half_us["b"] = 101;
  const Assignment chosen = Choose(world);
  EXPECT_EQ(chosen.int8, (Convs{"a", "c", "d"}));
  ASSERT_EQ(chosen.kept.size(), 1u);
  EXPECT_EQ(chosen.kept[0].reason, KeptLayer::Reason::kAccuracy);
  EXPECT_EQ(chosen.kept[0].noise, 0.1);
  EXPECT_EQ(chosen.kept[0].int8_us, 100);
  EXPECT_EQ(chosen.kept[0].half_us, 101);
  EXPECT_NEAR(chosen.noise, 3e-4, 1e-9);
}

TEST(AssignmentTest, WhatAReturnCostsItsNeighboursCounts) {
  World world = Even();
  for (const char* name : {"b", "c"}) world.noise[name] = 0.006;
  world.half_us["b"] = 101;
  world.half_us["c"] = 110;
  const auto graph = Parse(kChain, &MakeOp);
  AssignmentTools tools = world.Tools();
  tools.times = [times = tools.times](const Convs& int8) {
    ProgramTimes program = times(int8);
    program.total_us += int8.contains("b") ? 0 : 200;  // in no step of its own
    return program;
  };
  EXPECT_EQ(ChooseAssignment(*graph, 0.5, tools).int8, (Convs{"a", "b", "d"}));
}

TEST(AssignmentTest, LayersThatAreSlowerInInt8GoBackWhereTheProgramGainsByIt) {
  World world = Even();
  world.int8_us["c"] = 250;
  EXPECT_EQ(Choose(world).int8, (Convs{"a", "b", "d"}));
  world.conversion_us = 60;  // more than the layer gains
  const Assignment chosen = Choose(world);
  EXPECT_EQ(chosen.int8.size(), 4u);
  EXPECT_EQ(chosen.chosen_us, 550);
}

TEST(AssignmentTest, NoiseAloneTakesBackFewFlops) {
  World world = Even();
  for (auto& [name, noise] : world.noise) noise = 0.02;  // all far over what is allowed, and none is cheap
  EXPECT_EQ(Choose(world).int8.size(), 4u);
}

TEST(AssignmentTest, WhatTheJudgeRejectsIsImproved) {
  World world = Even();
  for (auto& [name, noise] : world.noise) noise = 0.0022;
  world.half_us["d"] = 150;  // the best buy
  int asked = 0;
  const Assignment chosen = Choose(world, [&](const Convs& int8) {
    ++asked;
    return Verdict{.map_float = 50, .map_int8 = int8.size() > 2 ? 48.0 : 50.0, .drop = {-0.5, 2.5}};
  });
  EXPECT_GE(asked, 2);
  EXPECT_LE(chosen.int8.size(), 2u);
  EXPECT_FALSE(chosen.int8.contains("d"));
  EXPECT_EQ(chosen.kept[0].node, "d");
  EXPECT_EQ(chosen.verdict->map_int8, 50);
}

TEST(AssignmentTest, AReturnThatDoesNotHelpIsTakenBack) {
  World world = Even();
  world.noise["b"] = 0.1;
  world.half_us["b"] = 101;
  const auto graph = Parse(kChain, &MakeOp);
  AssignmentTools tools = world.Tools();
  tools.noise = [](const Convs& int8) { return int8.contains("b") || int8.size() > 1 ? 0.1 : 0.0; };
  EXPECT_EQ(ChooseAssignment(*graph, 0.5, tools).int8.size(), 4u);
}

TEST(AssignmentTest, TwoThatSpoilTheSameSignalGoBackTogether) {
  World world = Even();
  for (const char* name : {"b", "c"}) world.noise[name] = 0.1, world.half_us[name] = 101;
  const auto graph = Parse(kChain, &MakeOp);
  AssignmentTools tools = world.Tools();
  tools.noise = [](const Convs& int8) { return int8.contains("b") || int8.contains("c") ? 0.1 : 1e-4; };
  EXPECT_EQ(ChooseAssignment(*graph, 0.5, tools).int8, (Convs{"a", "d"}));
}

/// What returned with others and turns out to change nothing.
double NoiseOfC(const Convs& int8) {
  if (int8 == Convs{"b"}) return 0.11;
  return int8.contains("c") ? 0.1 : 1e-4;
}

TEST(AssignmentTest, NeedlessReturnsAreInt8Again) {
  World world = Even();
  for (const char* name : {"b", "c"}) world.half_us[name] = 101;
  const auto graph = Parse(kChain, &MakeOp);
  AssignmentTools tools = world.Tools();
  tools.noise = NoiseOfC;
  const Assignment chosen = ChooseAssignment(*graph, 0.5, tools);
  EXPECT_EQ(chosen.int8, (Convs{"a", "b", "d"}));
  ASSERT_EQ(chosen.kept.size(), 1u);
  EXPECT_EQ(chosen.kept[0].node, "c");
  EXPECT_NEAR(chosen.flops_share, 0.75, 1e-9);
  EXPECT_EQ(chosen.chosen_us, 401);
}

TEST(AssignmentTest, NeedlessReturnsStayWhereTheJudgeMissesThem) {
  World world = Even();
  for (const char* name : {"b", "c"}) world.half_us[name] = 101;
  const auto graph = Parse(kChain, &MakeOp);
  AssignmentTools tools = world.Tools();
  tools.noise = NoiseOfC;
  tools.judge = [](const Convs& int8) {
    return Verdict{.map_float = 50, .map_int8 = int8.contains("b") ? 48.0 : 50.0, .drop = {-0.5, 2.5}};
  };
  const Assignment chosen = ChooseAssignment(*graph, 0.5, tools);
  EXPECT_EQ(chosen.int8, (Convs{"a", "d"}));
  EXPECT_EQ(chosen.kept.size(), 2u);
  EXPECT_EQ(chosen.verdict->map_int8, 50);
}

TEST(AssignmentTest, ADropWithinWhatTheImagesCanTellIsNoReason) {
  World world = Even();
  const Assignment chosen = Choose(world, [](const Convs&) {
    return Verdict{.map_float = 50, .map_int8 = 49.2, .drop = {-1, 2.6}};
  });
  EXPECT_EQ(chosen.int8.size(), 4u);
}

}  // namespace
}  // namespace tenon
