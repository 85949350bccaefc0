#include "passes/fuse_regions.h"

#include <gtest/gtest.h>

#include "passes/pass_testing.h"

namespace tenon {
namespace {

std::string G(const std::string& body) { return "graph \"g\" { " + body + " }"; }

TEST(FuseRegions, FusesArithmeticAndWhatLiesBetween) {
  ExpectRewrite(
      FuseRegions,
      G(R"(input %x: f32[2,4] %a = Unary(%x) {kind=exp} %p, %q = Split(%a) {axis=1, num_outputs=2} %y = Binary(%p, %q) output %y "y")"),
      G(R"(input %x: f32[2,4] %y = Region(%x) {body=graph "" { input %x: f32[2,4] %a = Unary(%x) {kind=exp} %p, %q = Split(%a) {axis=1, num_outputs=2}
                     %y = Binary(%p, %q) output %y "y" }} output %y "y")"));
}

TEST(FuseRegions, TakesMovementIntoTheOutputButNotFromConvolutions) {
  // Reshape and Concat of what convolutions wrote stay views; Concat and Transpose into the output don't.
  const std::string head =
      R"(input %x: f32[1,2,2,3] const %w: f32[4,2,1,1] = random(1) const %s: i64[3] = [1,4,6] %c = Conv(%x, %w) %r = Reshape(%c, %s)
                              %f = Concat(%r, %r) {axis=2} )";
  ExpectRewrite(
      FuseRegions,
      G(head +
        R"(%a = Unary(%f) {kind=sigmoid} %b = Concat(%a, %f) {axis=1} %y = Transpose(%b) {perm=[0,2,1]} output %y "y")"),
      G(head +
        R"(%y = Region(%f) {body=graph "" { input %f: f32[1,4,12] %a = Unary(%f) {kind=sigmoid} %b = Concat(%a, %f) {axis=1} %y = Transpose(%b) {perm=[0,2,1]}
                           output %y "y" }} output %y "y")"));
}

TEST(FuseRegions, FusesTheDetectionTail) {
  // DFL over 4 bins, boxes from distances, class scores: as YOLOv8 exports it.
  const std::string body =
      R"(%sm = Softmax(%d) {axis=1} %m = Binary(%sm, %bins) {kind=mul} %e = Reduce(%m, %axis) %l = Reshape(%e, %shape)
    %lt = Slice(%l, %i0, %i2, %i1) %rb = Slice(%l, %i2, %i4, %i1) %p1 = Binary(%anchors, %lt) {kind=sub} %p2 = Binary(%rb, %anchors) %sum = Binary(%p1, %p2)
    %wh = Binary(%p2, %p1) {kind=sub} %xy = Binary(%sum, %half) {kind=mul} %box = Concat(%xy, %wh) {axis=1} %scaled = Binary(%box, %strides) {kind=mul}
    %scores = Unary(%cls) {kind=sigmoid} %y = Concat(%scaled, %scores) {axis=1} output %y "y")";
  const std::string constants =
      R"(const %bins: f32[1,4,1,1] = [0,1,2,3] const %axis: i64[1] = [1] const %shape: i64[3] = [1,4,6] const %i0: i64[1] = [0] const %i1: i64[1] = [1]
    const %i2: i64[1] = [2] const %i4: i64[1] = [4] const %anchors: f32[1,2,6] = random(1) const %half: f32[] = [0.5] const %strides: f32[1,6] = random(2) )";
  const std::string inputs = "input %d: f32[1,4,4,6] input %cls: f32[1,3,6] ";
  const auto graph = ParseGraph(G(inputs + constants + body));
  const auto original = graph->Clone();
  ASSERT_TRUE(FuseRegions(*graph, {}));
  Verify(*graph);
  EXPECT_EQ(graph->nodes().size(), 1u) << Canonical(*graph);
  ExpectSameResults(*original, *graph, 0);
}

TEST(FuseRegions, MakesNoCycle) {
  // %a feeds the convolution that feeds %y: both in one region would wait for themselves.
  const auto graph = ParseGraph(G(
      R"(input %x: f32[1,2,2,2] const %w: f32[2,2,1,1] = random(1) %b = Unary(%x) {kind=neg} %a = Unary(%b) {kind=exp} %c = Conv(%a, %w)
    %d = Unary(%c) {kind=abs} %y = Binary(%a, %d) {kind=mul} output %y "y")"));
  const auto original = graph->Clone();
  ASSERT_TRUE(FuseRegions(*graph, {}));
  Verify(*graph);
  EXPECT_EQ(graph->nodes().size(), 3u) << Canonical(*graph);
  ExpectSameResults(*original, *graph, 0);
}

TEST(FuseRegions, MayHaveSeveralResults) {
  // The earlier result's reader stands before the region's last node.
  const auto graph = ParseGraph(G(
      R"(input %x: f32[1,2,2,2] const %w: f32[2,2,1,1] = random(1) %a = Unary(%x) {kind=exp} %c = Conv(%a, %w) %b = Unary(%a) {kind=neg}
    output %c "c" output %b "b")"));
  const auto original = graph->Clone();
  ASSERT_TRUE(FuseRegions(*graph, {}));
  Verify(*graph);
  EXPECT_EQ(graph->nodes().size(), 2u) << Canonical(*graph);
  ExpectSameResults(*original, *graph, 0);
}

TEST(FuseRegions, KeepsViewsAndSingleNodes) {
  ExpectUnchanged(
      FuseRegions,
      G(R"(input %x: f32[1,2,2,2] const %w: f32[2,2,1,1] = random(1) %a = Conv(%x, %w) %b = Conv(%x, %w) {activation=relu} %c = Concat(%a, %b) {axis=1}
    %p, %q = Split(%c) {axis=1, num_outputs=2} %y = Conv(%p, %w) %z = Conv(%q, %w) output %y "y" output %z "z")"));
  ExpectUnchanged(
      FuseRegions,
      G(R"(input %x: f32[1,2,2,2] const %w: f32[2,4,1,1] = random(1) %a = Unary(%x) {kind=exp} %c = Concat(%a, %x) {axis=1} %y = Conv(%c, %w) output %y "y")"));
}

TEST(FuseRegions, LeavesLargeReductionsAndIntegers) {
  ExpectUnchanged(FuseRegions, G(R"(input %x: f32[1,65] %a = Softmax(%x) %y = Unary(%a) {kind=exp} output %y "y")"));
  ExpectUnchanged(FuseRegions, G(R"(input %x: i64[4] %a = Binary(%x, %x) %y = Binary(%a, %x) output %y "y")"));
}

// DQ(u8) -> arithmetic -> Q(u8): one kernel that reads and writes bytes.
TEST(FuseRegions, TakesQuantisationOfBytes) {
  const std::string constants =
      R"(const %s: f32[] = [0.1] const %z: u8[] = [10] const %t: f32[] = [0.05] const %o: u8[] = [3] )";
  const std::string body =
      R"(%a = DequantizeLinear(%x, %s, %z) %b = Unary(%a) {kind=sigmoid} %y = QuantizeLinear(%b, %t, %o) {to=u8} output %y "y")";
  ExpectRewrite(FuseRegions, G("input %x: u8[2,4] " + constants + body),
                G("input %x: u8[2,4] %y = Region(%x) {body=graph \"\" { input %x: u8[2,4] " + constants + body +
                  R"( }} output %y "y")"));
}

// Bytes may stand between two regions, not inside of one: what moves or counts them is no arithmetic of floats.
TEST(FuseRegions, LeavesBytesThatNobodyDequantises) {
  const std::string inputs = "input %x: u8[2,4] input %w: u8[2,4] ";
  ExpectUnchanged(FuseRegions, G(inputs + R"(%y = Binary(%x, %w) output %y "y")"));
  ExpectUnchanged(FuseRegions, G(inputs + R"(%c = Concat(%x, %w) {axis=1} output %c "y")"));
}

// Scales that are computed at run time are no part of the kernel.
TEST(FuseRegions, LeavesQuantisationByRunTimeScales) {
  ExpectUnchanged(FuseRegions, G(R"(input %x: u8[2,4] input %s: f32[] const %z: u8[] = [10]
      %a = DequantizeLinear(%x, %s, %z) output %a "y")"));
}

}  // namespace
}  // namespace tenon
