#include "quantize/equalize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "ir/text.h"
#include "ops/evaluate.h"
#include "ops/op_list.h"
#include "passes/pass_list.h"
#include "passes/pass_runner.h"
#include "quantize/insert.h"

namespace tenon {
namespace {

// The first conv makes channels of very different size; a depthwise and a dense conv read them, past a Split, a pool
// and a Concat.
constexpr const char* kUneven = R"(graph "g" {
  input %x: f32[1,3,8,8]
  const %w: f32[8,3,3,3] = random(1)
  const %d: f32[4,1,3,3] = random(4)
  const %u: f32[5,8,1,1] = random(3)
  const %sizes: f32[8,1,1,1] = [100, 1, 0.5, 0.7, 2, 1, 3, 0.2]
  %scaled = Binary(%w, %sizes) {kind=mul}
  %y = Conv(%x, %scaled) {strides=[1,1], dilations=[1,1], pads=[1,1,1,1], activation=silu} name "first"
  %a, %b = Split(%y) {axis=1, num_outputs=2}
  %c = Conv(%a, %d) {strides=[1,1], dilations=[1,1], pads=[1,1,1,1], groups=4} name "depthwise"
  %p, _ = Pool(%b) {kernel=[3,3], pads=[1,1,1,1]}
  %j = Concat(%a, %p) {axis=1}
  %z = Conv(%j, %u) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]} name "dense"
  output %c "c"
  output %z "z"
})";

std::unique_ptr<Graph> Fused(const std::string& text) {
  auto graph = Parse(text, &MakeOp);
  RunPassGroups(*graph, {}, MakeFloatPassList());
  return graph;
}

std::vector<Tensor> RandomImage(unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  Tensor image(DType::kFloat32, {1, 3, 8, 8});
  for (int64_t i = 0; i < image.elems(); ++i) image.data<float>()[i] = uniform(generator);
  return {image};
}

StatisticsTable Observe(const Graph& graph) {
  StatisticsTable table;
  for (unsigned seed = 0; seed < 4; ++seed) {
    const auto images = RandomImage(seed);
    table["x"].Add(images[0].values<float>(), images[0].shape());
    EvaluateGraph(graph, images, [&](const Node& node, std::span<const Tensor> outputs) {
      for (size_t i = 0; i < outputs.size(); ++i) {
        if (node.output(i) && outputs[i].dtype() == DType::kFloat32)
          table[node.output(i)->name()].Add(outputs[i].values<float>(), outputs[i].shape(),
                                            ChannelCounts(*node.output(i)));
      }
    });
  }
  return table;
}

double RelativeError(const Tensor& actual, const Tensor& expected) {
  double error = 0, signal = 0;
  for (int64_t i = 0; i < expected.elems(); ++i) {
    error += std::pow(actual.AsDouble(i) - expected.AsDouble(i), 2);
    signal += std::pow(expected.AsDouble(i), 2);
  }
  return std::sqrt(error / signal);
}

TEST(EqualizeChannelsTest, KeepsTheFunction) {
  const auto graph = Fused(kUneven);
  const auto original = graph->Clone();
  EXPECT_EQ(EqualizeChannels(*graph, Observe(*graph)), 1);
  Verify(*graph);
  const auto image = RandomImage(9);
  const auto expected = EvaluateGraph(*original, image), actual = EvaluateGraph(*graph, image);
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_LT(RelativeError(actual[i], expected[i]), 1e-6);
}

/// The error of all convs in INT8 at the output of the depthwise conv, whose channels each have a part of it.
double ErrorOfSmallChannels(Graph& graph, const Graph& original) {
  InsertQuantization(graph, {.int8 = {"first", "depthwise", "dense"}}, Observe(graph));
  RunPasses(graph, {});
  const auto image = RandomImage(9);
  const Tensor actual = EvaluateGraph(graph, image)[0], expected = EvaluateGraph(original, image)[0];
  double error = 0, signal = 0;
  for (int64_t i = 64; i < 192; ++i) {  // channels 1 and 2, the small ones
    error += std::pow(actual.AsDouble(i) - expected.AsDouble(i), 2);
    signal += std::pow(expected.AsDouble(i), 2);
  }
  return std::sqrt(error / signal);
}

TEST(EqualizeChannelsTest, SmallChannelsKeepTheirLevels) {
  const auto plain = Fused(kUneven), equalised = plain->Clone(), original = plain->Clone();
  EqualizeChannels(*equalised, Observe(*equalised));
  EXPECT_LT(ErrorOfSmallChannels(*equalised, *original), 0.2 * ErrorOfSmallChannels(*plain, *original));
  // The factors are part of what the conv stores.
  EXPECT_EQ(Print(*equalised).find("kind=mul"), std::string::npos) << Print(*equalised);
  int with_factors = 0;
  for (const auto& node : equalised->nodes()) with_factors += node->op().name() == "Conv" && node->input(5);
  EXPECT_EQ(with_factors, 1);
}

TEST(EqualizeChannelsTest, LeavesWhatOthersRead) {
  std::string text = kUneven;
  text.replace(text.find("output %c"), 0, "output %y \"y\"\n  ");
  const auto graph = Fused(text);
  EXPECT_EQ(EqualizeChannels(*graph, Observe(*graph)), 0);
}

TEST(EqualizeChannelsTest, LeavesResiduals) {
  std::string text = kUneven;
  text.replace(text.find("Conv(%a, %d)"), 12, "Conv(%a, %d, _, %a)");
  const auto graph = Fused(text);
  EXPECT_EQ(EqualizeChannels(*graph, Observe(*graph)), 0);
}

TEST(EqualizeChannelsTest, LeavesEvenChannels) {
  std::string text = kUneven;
  text.replace(text.find("[100, 1, 0.5, 0.7, 2, 1, 3, 0.2]"), 32, "[1, 1, 1, 1, 1, 1, 1, 1]");
  const auto graph = Fused(text);
  EXPECT_EQ(EqualizeChannels(*graph, Observe(*graph)), 0);
}

TEST(ChannelCountsTest, AreSquaresOfWhatAStepIsWorth) {
  const auto graph = Parse(R"(graph "g" {
    input %x: f32[1,2,4,4]
    const %w: f32[2,2,1,1] = random(1)
    const %f: f32[2,1,1] = [1, 4]
    %y = Conv(%x, %w) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]} name "first"
    %m = Binary(%y, %f) {kind=mul} name "first.equalise"
    %j = Concat(%x, %m) {axis=1}
    output %j "j"
  })",
                           &MakeOp);
  EXPECT_EQ(ChannelCounts(*graph->outputs()[0]), (std::vector<int64_t>{256, 256, 256, 16}));
}

}  // namespace
}  // namespace tenon
