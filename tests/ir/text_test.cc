#include "ir/text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ops/conv.h"
#include "ops/evaluate.h"
#include "ops/op_list.h"
#include "ops/pointwise.h"
#include "ops/region.h"

namespace tenon {
namespace {

constexpr const char* kText = R"(graph "a \"quoted\" name" {
  meta "names" "{0: 'box', 1: \"driver's cab\"}"
  input %x: f32[1,4,2,2]
  input %"odd name": i64[]
  const %w: f32[2,4,1,1] = [0.1, -1, 2, 3.5, 0.25, 1e-05, 7, 8]
  const %b: f32[2] = splat(0.5)
  const %t: bool[2] = [1, 0]
  const %h: f16[2] = [1.5, 65504]
  %y: f32[1,2,2,2] = Conv(%x, %w, %b) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0], activation=silu} name "/m/conv" sources ["/m/conv", "/m/act"]
  %first: f32[1,1,2,2], _ = Split(%y) {axis=1, num_outputs=2}
  output %first "out put"
}
)";

TEST(TextTest, PrintAndParseRoundTrip) {
  const auto graph = Parse(kText, &MakeOp);
  Verify(*graph);
  EXPECT_EQ(Print(*graph), kText);
  EXPECT_EQ(Print(*graph->Clone()), kText);
  EXPECT_EQ(graph->nodes().front()->sources().size(), 2u);
}

TEST(TextTest, QuantizedConvRoundTrip) {
  constexpr const char* kQuantized = R"(graph "q" {
  input %x: u8[1,1,2,2]
  const %w: i8[2,1,1,1] = [1, -127]
  const %s: f32[2] = [0.5, 0.25]
  %y: u8[1,2,2,2] = Conv(%x, %w, _, _, %s) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0], activation=silu, compute=i8, out=u8, x_scale=0.02, x_zero_point=114, y_scale=0.1, y_zero_point=3} name "conv"
  output %y "y"
}
)";
  const auto graph = Parse(kQuantized, &MakeOp);
  Verify(*graph);
  EXPECT_EQ(Print(*graph), kQuantized);
  EXPECT_EQ(graph->nodes().front()->As<Conv>()->epilogue.quantization,
            (Quantization{.x = {0.02f, 114}, .y = {0.1f, 3}}));
}

TEST(TextTest, NumberedOutputsKeepTheirNames) {
  // While it is read, a node's outputs have numbers of their own, which may be those of the text in another order.
  const std::string text = R"(graph "numbers" {
  input %0: f32[1,4,2,2]
  %2: f32[1,2,2,2], %1: f32[1,2,2,2] = Split(%0) {axis=1, num_outputs=2}
  output %1 "y0"
  output %2 "y1"
}
)";
  EXPECT_EQ(Print(*Parse(text, &MakeOp)), text);
}

TEST(TextTest, SpecialFloatsSurvive) {
  Graph graph;
  const float infinity = std::numeric_limits<float>::infinity();
  Value* constant = graph.AddConstant(
      Tensor::Of<float>({4}, {infinity, -infinity, 1.0f / 3.0f, std::numeric_limits<float>::denorm_min()}), "c");
  graph.AddOutput(graph.AddOp(Unary(), {constant})->output(0), "y");
  const auto again = Parse(Print(graph), &MakeOp);
  EXPECT_TRUE(Identical(again->Constants()[0]->constant(), constant->constant()));
}

TEST(TextTest, BigConstantsGoToTheTable) {
  const auto graph = Parse(R"(graph "g" {
    const %w: f32[100] = random(3)
    %y = Unary(%w) {kind=exp}
    output %y "y"
  })",
                           &MakeOp);
  std::vector<Tensor> externals;
  const std::string text = Print(*graph, {.externals = &externals});
  ASSERT_EQ(externals.size(), 1u);
  EXPECT_NE(text.find("external(0)"), std::string::npos);
  EXPECT_TRUE(Identical(Parse(text, &MakeOp, externals)->Constants()[0]->constant(), externals[0]));
  EXPECT_THROW(Parse(text, &MakeOp), Error);  // the table is missing
}

TEST(TextTest, BodiesNest) {
  const auto graph = Parse(R"(graph "outer" {
    input %x: f32[3]
    %y = Region(%x) {body=graph "inner" {
      input %a: f32[3]
      %b = Unary(%a) {kind=neg}
      output %b "b"
    }}
    output %y "y"
  })",
                           &MakeOp);
  const std::string text = Print(*graph);
  EXPECT_EQ(Print(*Parse(text, &MakeOp)), text);
  const auto result = EvaluateGraph(*graph, std::vector{Tensor::Of<float>({3}, {1, 2, 3})});
  EXPECT_EQ(result[0].data<float>()[2], -3);
}

TEST(TextTest, BadTextIsRefusedWithItsLine) {
  const auto fails_at = [](const std::string& text, const char* line) {
    try {
      Parse(text, &MakeOp);
      return testing::AssertionFailure() << "no error for " << text;
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kInvalidInput && std::string(error.what()).find(line) != std::string::npos)
        return testing::AssertionSuccess();
      return testing::AssertionFailure() << error.what();
    }
  };
  EXPECT_TRUE(fails_at("graph", "line 1"));
  EXPECT_TRUE(fails_at("graph \"g\" {\n %y = NoSuchOp()\n}", "line 2"));
  EXPECT_TRUE(fails_at("graph \"g\" {\n input %x: f32[2]\n %y = Unary(%z)\n}", "line 3"));
  EXPECT_TRUE(fails_at("graph \"g\" {\n input %x: f32[2]\n %y = Unary(%x) {colour=red}\n}", "line 3"));
  EXPECT_TRUE(fails_at("graph \"g\" {\n input %x: f32[2]\n %y: f32[3] = Unary(%x)\n}", "%y to be f32[2]"));
  EXPECT_TRUE(fails_at("graph \"g\" {\n const %x: f32[2] = [1]\n}", "line 2"));
  EXPECT_TRUE(fails_at("graph \"g\" {\n input %x: f32[-2]\n}", ""));
  std::string deep = "graph \"g\" {";
  for (int i = 0; i < 1000; ++i) deep += " %y = Region() {body=graph \"g\" {";
  EXPECT_TRUE(fails_at(deep, "nested"));
}

TEST(TextTest, CutTextNeverCrashes) {
  const std::string text = kText;
  for (size_t length = 0; length + 2 < text.size(); ++length)
    EXPECT_THROW(Parse(text.substr(0, length), &MakeOp), Error) << length;
}

TEST(VerifyTest, FindsBrokenInvariants) {
  const auto graph = Parse(kText, &MakeOp);
  graph->nodes().front()->output(0)->set_type({DType::kFloat32, Shape{9}});
  EXPECT_THROW(Verify(*graph), Error);
}

TEST(Float16Test, RoundsToNearestEvenAndKeepsSpecials) {
  EXPECT_EQ(Float16(1.0f).bits, 0x3c00);
  EXPECT_EQ(Float16(65504.0f).bits, 0x7bff);
  EXPECT_EQ(Float16(65520.0f).bits, 0x7c00);
  EXPECT_EQ(Float16(5.9604645e-8f).bits, 0x0001);
  EXPECT_EQ(Float16(1.0f + 1.0f / 2048).bits, 0x3c00);  // a tie goes to even
  EXPECT_EQ(Float16(1.0f + 3.0f / 2048).bits, 0x3c02);
  EXPECT_TRUE(std::isnan(static_cast<float>(Float16(std::nanf("")))));
  EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(std::nanf("")))));
  EXPECT_EQ(BFloat16(1.0f + 1.0f / 256).bits, 0x3f80);
  for (int bits = 0; bits < 0x7c00; ++bits) {
    Float16 half;
    half.bits = static_cast<uint16_t>(bits);
    ASSERT_EQ(Float16(static_cast<float>(half)).bits, bits);
  }
}

}  // namespace
}  // namespace tenon
