#include "quantize/insert.h"

#include <gtest/gtest.h>

#include <random>

#include "ir/text.h"
#include "ops/evaluate.h"
#include "ops/op_list.h"
#include "passes/pass_runner.h"
#include "quantize/quantizable_convs.h"
#include "quantize/sensitivity.h"

namespace tenon {
namespace {

// A bottleneck: its Split, residual and Concat make the parts of %j one group; %x is another.
constexpr const char* kBottleneck = R"(graph "g" {
  input %x: f32[1,3,6,6]
  const %w: f32[8,3,3,3] = random(1)
  const %v: f32[4,4,3,3] = random(2)
  const %u: f32[2,12,1,1] = random(3)
  %y = Conv(%x, %w) {strides=[1,1], dilations=[1,1], pads=[1,1,1,1], activation=silu} name "first"
  %a, %b = Split(%y) {axis=1, num_outputs=2}
  %c = Conv(%b, %v, _, %b) {strides=[1,1], dilations=[1,1], pads=[1,1,1,1], activation=relu} name "inner"
  %j = Concat(%a, %b, %c) {axis=1}
  %z = Conv(%j, %u) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]} name "last"
  output %z "z"
})";

std::vector<Tensor> RandomImage(unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(0, 1);
  Tensor image(DType::kFloat32, {1, 3, 6, 6});
  for (int64_t i = 0; i < image.elems(); ++i) image.data<float>()[i] = uniform(generator);
  return {image};
}

StatisticsTable Observe(const Graph& graph) {
  StatisticsTable table;
  for (unsigned seed = 0; seed < 4; ++seed) {
    const auto images = RandomImage(seed);
    table["x"].Add(images[0].values<float>(), images[0].shape());
    EvaluateGraph(graph, images, [&](const Node& node, std::span<const Tensor> outputs) {
      for (size_t i = 0; i < outputs.size(); ++i)
        table[node.output(i)->name()].Add(outputs[i].values<float>(), outputs[i].shape());
    });
  }
  return table;
}

// Attention computes on floats: what it reads of %y stays float, and the conv beside it has its part in 8 bits.
TEST(ScaleGroupsTest, WhatAttentionReadsStaysReal) {
  const auto graph = Parse(R"(graph "g" {
    input %x: f32[1,8,4,4]
    const %w: f32[24,8,1,1] = random(1)
    const %p: f32[8,1,3,3] = random(2)
    const %rows: i64[3] = [1, 8, 16]
    const %image: i64[4] = [1, 8, 4, 4]
    const %all: i64[3] = [1, 24, 16]
    %y = Conv(%x, %w) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]} name "qkv"
    %r = Reshape(%y, %all)
    %q, %k, %v = Split(%r) {axis=1, num_outputs=3}
    %v0 = Reshape(%v, %image)
    %z = Conv(%v0, %p) {strides=[1,1], dilations=[1,1], pads=[1,1,1,1], groups=8} name "pe"
    %q2 = Transpose(%q) {perm=[0,2,1]}
    %v2 = Transpose(%v) {perm=[0,2,1]}
    %a = Attention(%q2, %k, %v2) {scale=0.5}
    output %a "a"
    output %z "z"
  })",
                           &MakeOp);
  const auto convs = FindQuantizableConvs(*graph);
  ASSERT_EQ(convs.size(), 2u);
  ASSERT_EQ(convs[1].sources.size(), 1u);
  EXPECT_EQ(convs[1].sources[0]->name(), "v0");  // not %y
}

double RelativeError(const Tensor& actual, const Tensor& expected) {
  double error = 0, signal = 0;
  for (int64_t i = 0; i < expected.elems(); ++i) {
    error += std::pow(actual.AsDouble(i) - expected.AsDouble(i), 2);
    signal += std::pow(expected.AsDouble(i), 2);
  }
  return std::sqrt(error / signal);
}

TEST(ScaleGroupsTest, PartsOfAConcatShareAScale) {
  const auto graph = Parse(kBottleneck, &MakeOp);
  const auto convs = FindQuantizableConvs(*graph);
  ASSERT_EQ(convs.size(), 3u);
  const ScaleGroups groups(convs);
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups.sources(0).size(), 1u);
  EXPECT_EQ(groups.sources(1).size(), 2u);  // %y, of which %a and %b are parts, and %c
  EXPECT_EQ(groups.inputs(1).size(), 2u);   // %b and %j
}

TEST(InsertQuantizationTest, EveryConvBecomesIntegers) {
  const auto graph = Parse(kBottleneck, &MakeOp);
  const auto original = graph->Clone();
  InsertQuantization(*graph, {.int8 = {"first", "inner", "last"}}, Observe(*graph));
  Verify(*graph);
  RunPasses(*graph, {});
  const std::string text = Print(*graph);
  EXPECT_EQ(text.find("DequantizeLinear"), std::string::npos) << text;
  EXPECT_NE(text.find("residual_scale"), std::string::npos) << text;
  int stored = 0;
  for (const auto& node : graph->nodes())
    stored += node->op().name() == "Conv" && node->output()->dtype() == DType::kUInt8;
  EXPECT_EQ(stored, 2) << text;

  const auto image = RandomImage(9);
  const Tensor expected = EvaluateGraph(*original, image)[0];
  const Tensor integers = EvaluateGraph(*graph, image)[0];
  EXPECT_LT(RelativeError(integers, expected), 0.02);
  EXPECT_GT(RelativeError(integers, expected), 0);
}

TEST(InsertQuantizationTest, OthersKeepTheirFloats) {
  const auto graph = Parse(kBottleneck, &MakeOp);
  InsertQuantization(*graph, {.int8 = {"first"}}, Observe(*graph));
  RunPasses(*graph, {});
  int integers = 0;
  for (const auto& node : graph->nodes())
    integers += Print(*graph).find("compute=i8") != std::string::npos && node->input(4);
  EXPECT_EQ(integers, 1);
}

/// The quantised graph as text, weights included.
std::string Quantized(const Graph& graph, InsertOptions options, const StatisticsTable& statistics) {
  const auto copy = graph.Clone();
  InsertQuantization(*copy, options, statistics);
  return Print(*copy);
}

TEST(InsertQuantizationTest, WhatIsRememberedIsWhatWouldBeChosen) {
  const auto graph = Parse(kBottleneck, &MakeOp);
  const StatisticsTable statistics = Observe(*graph);
  QuantizationMemo memo;
  for (const Calibrator calibrator : {Calibrator::kMse, Calibrator::kMinMax, Calibrator::kMse}) {
    for (const std::set<std::string>& int8 : {std::set<std::string>{"first", "inner", "last"}, {"inner"}, {"last"}}) {
      const InsertOptions options{.calibrator = calibrator, .int8 = int8};
      InsertOptions remembering = options;
      remembering.memo = &memo;
      EXPECT_EQ(Quantized(*graph, remembering, statistics), Quantized(*graph, options, statistics));
    }
  }
}

TEST(KeyOfTest, TellsOptionsApart) {
  const InsertOptions options{.calibrator = Calibrator::kMse, .int8 = {"a", "b"}};
  InsertOptions other = options;
  EXPECT_EQ(KeyOf(options), KeyOf(other));
  other.calibrator = Calibrator::kEntropy;
  EXPECT_NE(KeyOf(options), KeyOf(other));
  other = options;
  other.int8 = {"a"};
  EXPECT_NE(KeyOf(options), KeyOf(other));
  other.int8 = {"ab"};
  EXPECT_NE(KeyOf(options), KeyOf(other));
}

TEST(FinalTensorsTest, AreThoseThatNoConvReads) {
  const auto graph = Parse(kBottleneck, &MakeOp);
  EXPECT_EQ(FinalTensors(*graph), std::vector<std::string>{"z"});
}

}  // namespace
}  // namespace tenon
