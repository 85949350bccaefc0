#include "passes/assign_precision.h"

#include <gtest/gtest.h>

#include "passes/pass_testing.h"

namespace tenon {
namespace {

std::string G(const std::string& body) { return "graph \"g\" { " + body + " }"; }

PassContext Half(PassReport* report = nullptr) {
  PassContext context;
  context.precision = Precision::kHalf;
  context.report = report;
  return context;
}

/// One run with half: the graph must verify, equal `after`, and keep its results to bf16's 8 bits.
void ExpectHalf(const std::string& before, const std::string& after, PassReport* report = nullptr) {
  const auto graph = ParseGraph(G(before));
  const auto original = graph->Clone();
  EXPECT_TRUE(AssignPrecision(*graph, Half(report)));
  Verify(*graph);
  EXPECT_EQ(Canonical(*graph), Canonical(*ParseGraph(G(after))));
  ExpectSameResults(*original, *graph, 0.05);
}

const std::string kWide = "input %x: f32[1,8,4,4] const %w: f32[8,8,1,1] = splat(0.0625) ";
const std::string kWideHalf =
    "input %x: f32[1,8,4,4] const %w: bf16[8,8,1,1] = splat(0.0625) %xh = Cast(%x) {to=bf16} ";

TEST(AssignPrecision, DoesNothingForFp32) {
  ExpectUnchanged(AssignPrecision, G(kWide + R"(%y = Conv(%x, %w) output %y "y")"));
}

TEST(AssignPrecision, StoresHalfBetweenConvolutionsAndFp32AtTheEnd) {
  ExpectHalf(
      kWide +
          R"(%a = Conv(%x, %w) {activation=silu} %p, _ = Pool(%a) {kernel=[3,3], pads=[1,1,1,1]} %c = Concat(%a, %p) {axis=1} const %v: f32[4,16,1,1] = splat(0.125)
                        %y = Conv(%c, %v) output %y "y")",
      kWideHalf +
          R"(%a = Conv(%xh, %w) {activation=silu, compute=bf16, out=bf16} %p, _ = Pool(%a) {kernel=[3,3], pads=[1,1,1,1]} %c = Concat(%a, %p) {axis=1}
                        const %v: bf16[4,16,1,1] = splat(0.125) %y = Conv(%c, %v) {compute=bf16} output %y "y")");
}

TEST(AssignPrecision, KeepsTheConvOfTheImageInFp32) {
  PassReport report;
  ExpectHalf(
      R"(input %x: f32[1,3,4,4] const %w: f32[8,3,1,1] = splat(0.5) const %v: f32[4,8,1,1] = splat(0.125) %a = Conv(%x, %w) name "first" %y = Conv(%a, %v) output %y "y")",
      R"(input %x: f32[1,3,4,4] const %w: f32[8,3,1,1] = splat(0.5) const %v: bf16[4,8,1,1] = splat(0.125) %a = Conv(%x, %w) {out=bf16} %y = Conv(%a, %v) {compute=bf16} output %y "y")",
      &report);
  ASSERT_EQ(report.kept_in_fp32.size(), 1u);
  EXPECT_EQ(report.kept_in_fp32[0].node, "first");
  EXPECT_EQ(report.kept_in_fp32[0].op, "Conv");
}

TEST(AssignPrecision, CastsAroundFp32Arithmetic) {
  // A gate between convolutions computes in FP32; each reader casts for itself.
  ExpectHalf(
      kWide +
          R"(%a = Conv(%x, %w) %g = Unary(%a) {kind=exp} %m = Binary(%a, %g) {kind=mul} %y = Conv(%m, %w) output %y "y")",
      kWideHalf +
          R"(%a = Conv(%xh, %w) {compute=bf16, out=bf16} %a1 = Cast(%a) %g = Unary(%a1) {kind=exp} %a2 = Cast(%a) %m = Binary(%a2, %g) {kind=mul}
                            %mh = Cast(%m) {to=bf16} %y = Conv(%mh, %w) {compute=bf16} output %y "y")");
}

TEST(AssignPrecision, KeepsTheTailInFp32) {
  ExpectHalf(
      kWide +
          R"(const %n: f32[1,8,4,4] = splat(2) %a = Conv(%x, %w) %b = Conv(%a, %w) %s = Unary(%b) {kind=sigmoid} %c = Concat(%s, %a, %n) {axis=1} output %c "y")",
      kWideHalf +
          R"(const %n: f32[1,8,4,4] = splat(2) %a = Conv(%xh, %w) {compute=bf16, out=bf16} %b = Conv(%a, %w) {compute=bf16} %s = Unary(%b) {kind=sigmoid}
                            %af = Cast(%a) %c = Concat(%s, %af, %n) {axis=1} output %c "y")");
}

TEST(AssignPrecision, GivesGraphOutputsTheirType) {
  ExpectHalf(
      kWide + R"(%a = Conv(%x, %w) %y = Conv(%a, %w) output %y "y" output %a "a")",
      kWideHalf +
          R"(%a = Conv(%xh, %w) {compute=bf16, out=bf16} %y = Conv(%a, %w) {compute=bf16} %af = Cast(%a) output %y "y" output %af "a")");
}

TEST(AssignPrecision, TakesResidualsInTheStoredType) {
  ExpectHalf(
      kWide + R"(%a = Conv(%x, %w, _, %x) %y = Conv(%a, %w, _, %a) output %y "y")",
      R"(input %x: f32[1,8,4,4] const %w: bf16[8,8,1,1] = splat(0.0625) %r = Cast(%x) {to=bf16} %xh = Cast(%x) {to=bf16}
                %a = Conv(%xh, %w, _, %r) {compute=bf16, out=bf16} %af = Cast(%a) %y = Conv(%a, %w, _, %af) {compute=bf16} output %y "y")");
}

// Found by ubsan: the type of an output that nobody reads was asked for.
TEST(AssignPrecision, FirstOutputsMayBeAbsent) {
  ExpectHalf(
      kWide + R"(%a = Conv(%x, %w) _, %b = Split(%a) {axis=1, num_outputs=2} output %b "b")",
      kWideHalf + R"(%a = Conv(%xh, %w) {compute=bf16} _, %b = Split(%a) {axis=1, num_outputs=2} output %b "b")");
}

TEST(AssignPrecision, CoversAttentionAndMatMul) {
  ExpectHalf(
      R"(input %q: f32[2,4] input %k: f32[4,3] input %v: f32[3,8] const %w: f32[8,2] = splat(0.25) %a = Attention(%q, %k, %v) %y = MatMul(%a, %w) output %y "y")",
      R"(input %q: f32[2,4] input %k: f32[4,3] input %v: f32[3,8] const %w: bf16[8,2] = splat(0.25) %qh = Cast(%q) {to=bf16} %kh = Cast(%k) {to=bf16} %vh = Cast(%v) {to=bf16}
                %a = Attention(%qh, %kh, %vh) {compute=bf16, out=bf16} %y = MatMul(%a, %w) {compute=bf16} output %y "y")");
}

TEST(AssignPrecision, LeavesWhatIsNoFp32) {
  ExpectUnchanged(
      AssignPrecision,
      G(R"(input %x: f64[1,8,4,4] const %w: f64[8,8,1,1] = splat(0.5) %y = Conv(%x, %w) {compute=f64, out=f64} output %y "y")"),
      Half());
}

}  // namespace
}  // namespace tenon
