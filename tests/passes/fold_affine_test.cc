#include "passes/fold_affine.h"

#include <gtest/gtest.h>

#include "passes/fold_focus.h"
#include "passes/fold_pads.h"
#include "passes/hoist_activations.h"
#include "passes/pass_testing.h"

namespace tenon {
namespace {

std::string G(const std::string& body) { return "graph \"g\" { " + body + " }"; }

/// The body must lose all but one node, and keep its results.
void ExpectFolds(const std::string& body, size_t nodes_left = 1) {
  const auto graph = ParseGraph(G(body));
  const auto original = graph->Clone();
  while (FoldAffine(*graph, {})) Verify(*graph);
  EXPECT_EQ(graph->nodes().size(), nodes_left) << Canonical(*graph);
  ExpectSameResults(*original, *graph, 1e-5);
}

const std::string kConv =
    "input %x: f32[1,4,5,5] const %w: f32[6,4,3,3] = random(1) const %b: f32[6] = random(2) const %s: f32[6,1,1] = "
    "random(3) ";
const std::string kBatchNorm =
    "const %g: f32[6] = random(4) const %h: f32[6] = random(5) const %m: f32[6] = random(6) const %v: f32[6] = "
    "[1,2,3,4,5,6] ";

TEST(FoldAffine, ScalesWeightsAndBias) {
  ExpectRewrite(
      FoldAffine,
      G(R"(input %x: f32[1,1,2,2] const %w: f32[2,1,1,1] = [1,2] const %b: f32[2] = [3,4] const %s: f32[2,1,1] = [10,100]
                                 %c = Conv(%x, %w, %b) %y = Binary(%c, %s) {kind=mul} output %y "y")"),
      G(R"(input %x: f32[1,1,2,2] const %w: f32[2,1,1,1] = [10,200] const %b: f32[2] = [30,400] %y = Conv(%x, %w, %b) output %y "y")"),
      1e-6);
}

TEST(FoldAffine, FoldsWhatFollows) {
  ExpectFolds(kConv + kBatchNorm +
              R"(%c = Conv(%x, %w) {pads=[1,1,1,1]} %y = BatchNorm(%c, %g, %h, %m, %v) output %y "y")");
  ExpectFolds(
      kConv +
      R"(%c = Conv(%x, %w, %b) %d = Binary(%c, %s) %e = Binary(%d, %s) {kind=mul} %y = Binary(%e, %s) {kind=div} output %y "y")");
  ExpectFolds(
      R"(input %x: f32[1,4,5,5] const %w: f32[6,2,3,3] = random(1) const %s: f32[6,1,1] = random(3) %c = Conv(%x, %w) {groups=2} %y = Binary(%c, %s) {kind=mul} output %y "y")");
  ExpectFolds(
      R"(input %x: f32[1,4,5,5] const %w: f32[4,3,2,2] = random(1) const %s: f32[6,1,1] = random(3) %c = ConvTranspose(%x, %w) {groups=2} %d = Binary(%c, %s) {kind=mul}
                 %y = Binary(%d, %s) output %y "y")");
  ExpectFolds(
      R"(input %x: f32[2,5,4] const %w: f32[4,3] = random(1) const %s: f32[3] = random(2) %c = MatMul(%x, %w) %d = Binary(%c, %s) {kind=mul} %y = Binary(%d, %s) output %y "y")");
}

TEST(FoldAffine, FoldsWhatComesBefore) {
  ExpectFolds(
      R"(input %x: f32[1,4,5,5] const %w: f32[6,4,3,3] = random(1) const %s: f32[4,1,1] = random(3) %c = Binary(%x, %s) {kind=mul} %y = Conv(%c, %w) {pads=[1,1,1,1]} output %y "y")");
  ExpectFolds(
      R"(input %x: f32[1,4,5,5] const %w: f32[6,2,3,3] = random(1) const %s: f32[4,1,1] = random(3) %c = Binary(%x, %s) {kind=mul} %d = Binary(%c, %s)
                 %y = Conv(%d, %w) {groups=2, activation=relu} output %y "y")");
  ExpectFolds(
      R"(input %x: f32[2,5,4] const %w: f32[4,3] = random(1) const %s: f32[4] = random(2) %c = Binary(%x, %s) %y = MatMul(%c, %w) output %y "y")");
  ExpectFolds(
      R"(input %x: f32[1,4,5,5] const %w: f32[4,3,2,2] = random(1) const %s: f32[4,1,1] = random(3) %c = Binary(%x, %s) {kind=mul} %y = ConvTranspose(%c, %w) {groups=2} output %y "y")");
}

TEST(FoldAffine, LowersOtherBatchNorms) {
  ExpectFolds(R"(input %x: f32[1,6,5,5] const %w: f32[6,6,1,1] = random(1) )" + kBatchNorm +
                  R"(%a = BatchNorm(%x, %g, %h, %m, %v) %b = Unary(%a) {kind=relu}
                 %y = Conv(%b, %w) output %y "y")",
              4);
}

TEST(FoldAffine, KeepsWhatItMayNot) {
  // The border of a padded convolution would get the shift.
  ExpectUnchanged(
      FoldAffine,
      G(R"(input %x: f32[1,4,5,5] const %w: f32[6,4,3,3] = random(1) const %s: f32[4,1,1] = random(3) %c = Binary(%x, %s)
                                   %y = Conv(%c, %w) {pads=[1,1,1,1]} output %y "y")"));
  // Somebody else reads the convolution; an activation is between; the constant varies along another axis; weights
  // vary.
  ExpectUnchanged(
      FoldAffine,
      G(kConv +
        R"(%c = Conv(%x, %w) %y = Binary(%c, %s) {kind=mul} %z = Unary(%c) {kind=exp} output %y "y" output %z "z")"));
  ExpectUnchanged(FoldAffine,
                  G(kConv + R"(%c = Conv(%x, %w) {activation=relu} %y = Binary(%c, %s) {kind=mul} output %y "y")"));
  ExpectUnchanged(
      FoldAffine,
      G(kConv + R"(const %r: f32[3] = [1,2,3] %c = Conv(%x, %w) %y = Binary(%c, %r) {kind=mul} output %y "y")"));
  ExpectUnchanged(
      FoldAffine,
      G(R"(input %x: f32[1,4,5,5] input %w: f32[6,4,3,3] const %s: f32[6,1,1] = random(3) %c = Conv(%x, %w) %y = Binary(%c, %s) {kind=mul} output %y "y")"));
}

TEST(FoldFocus, BecomesOneStridedConv) {
  const std::string slices =
      R"(input %x: f32[1,3,8,8] const %w: f32[5,12,3,3] = random(1) const %b: f32[5] = random(2) const %0: i64[1] = [0] const %1: i64[1] = [1]
    const %2: i64[1] = [2] const %3: i64[1] = [3] const %e: i64[1] = [9223372036854775807]
    %a = Slice(%x, %0, %e, %2, %2) %p = Slice(%a, %0, %e, %3, %2) %q = Slice(%a, %1, %e, %3, %2)
    %c = Slice(%x, %1, %e, %2, %2) %r = Slice(%c, %0, %e, %3, %2) %s = Slice(%c, %1, %e, %3, %2) )";
  const auto graph = ParseGraph(G(
      slices +
      R"(%f = Concat(%p, %r, %q, %s) {axis=1} %y = Conv(%f, %w, %b) {strides=[1,1], pads=[1,1,1,1], activation=relu} output %y "y")"));
  const auto original = graph->Clone();
  ASSERT_TRUE(FoldFocus(*graph, {}));
  Verify(*graph);
  ASSERT_EQ(graph->nodes().size(), 1u);
  EXPECT_EQ(graph->nodes().front()->input(1)->shape(), (Shape{5, 3, 6, 6}));
  ExpectSameResults(*original, *graph, 1e-5);
  // Not the same step everywhere, or not all of the pixels.
  ExpectUnchanged(
      FoldFocus,
      G(slices +
        R"(%f = Concat(%p, %r, %q, %s) {axis=0} const %v: f32[5,3,3,3] = random(1) %y = Conv(%f, %v) {strides=[1,1], pads=[0,0,0,0]} output %y "y")"));
  ExpectUnchanged(
      FoldFocus,
      G(slices +
        R"(%f = Concat(%p, %r, %q, %s) {axis=1} const %v: f32[4,6,3,3] = random(1) %y = Conv(%f, %v) {strides=[1,1], pads=[0,0,0,0], groups=2} output %y "y")"));
}

const std::string kPads =
    "input %x: f32[1,2,5,5] const %p: i64[8] = [0,0,1,2,0,0,0,1] const %low: f32[] = [-inf] const %one: f32[] = [1] "
    "const %w: f32[3,2,3,3] = random(1) ";

TEST(FoldPads, JoinsThePadsOfTheReader) {
  ExpectRewrite(FoldPads, G(kPads + R"(%a = Pad(%x, %p) %y = Conv(%a, %w) {pads=[1,1,1,1]} output %y "y")"),
                G(kPads + R"(%y = Conv(%x, %w) {pads=[2,3,1,2]} output %y "y")"));
  ExpectRewrite(
      FoldPads, G(kPads + R"(%a = Pad(%x, %p) %y = Pool(%a) {kind=average, kernel=[3,3]} output %y "y")"),
      G(kPads + R"(%y = Pool(%x) {kind=average, kernel=[3,3], pads=[1,2,0,1], count_include_pad=true} output %y "y")"),
      1e-6);
  ExpectRewrite(FoldPads, G(kPads + R"(%a = Pad(%x, %p, %low) %y, _ = Pool(%a) {kernel=[3,3]} output %y "y")"),
                G(kPads + R"(%y, _ = Pool(%x) {kernel=[3,3], pads=[1,2,0,1]} output %y "y")"));
}

TEST(FoldPads, KeepsWhatThePadsOfTheReaderDoNotMean) {
  // Other numbers, another mode, channels, negative pads; zeros under a max; zeros beside pads that don't count.
  ExpectUnchanged(FoldPads, G(kPads + R"(%a = Pad(%x, %p, %one) %y = Conv(%a, %w) output %y "y")"));
  ExpectUnchanged(FoldPads, G(kPads + R"(%a = Pad(%x, %p) {mode=edge} %y = Conv(%a, %w) output %y "y")"));
  ExpectUnchanged(
      FoldPads,
      G(kPads +
        R"(const %c: i64[8] = [0,1,0,0,0,1,0,0] const %v: f32[3,4,3,3] = random(2) %a = Pad(%x, %c) %y = Conv(%a, %v) output %y "y")"));
  ExpectUnchanged(
      FoldPads, G(kPads + R"(const %c: i64[8] = [0,0,-1,0,0,0,0,0] %a = Pad(%x, %c) %y = Conv(%a, %w) output %y "y")"));
  ExpectUnchanged(FoldPads, G(kPads + R"(%a = Pad(%x, %p) %y, _ = Pool(%a) {kernel=[3,3]} output %y "y")"));
  ExpectUnchanged(
      FoldPads,
      G(kPads + R"(%a = Pad(%x, %p) %y = Pool(%a) {kind=average, kernel=[3,3], pads=[1,1,1,1]} output %y "y")"));
  ExpectUnchanged(FoldPads,
                  G(kPads + R"(%a = Pad(%x, %p, %low) %y, %i = Pool(%a) {kernel=[3,3]} output %y "y" output %i "i")"));
}

TEST(HoistActivations, GoesToTheConvolutions) {
  const std::string pair =
      "input %x: f32[1,2,3,3] const %w: f32[2,2,1,1] = random(1) %a = Conv(%x, %w) %b = Conv(%x, %w) ";
  ExpectRewrite(
      HoistActivations,
      G(pair + R"(%c = Concat(%a, %b) {axis=1} %y = Unary(%c) {kind=leaky_relu, alpha=0.1} output %y "y")"),
      G(pair +
        R"(%p = Unary(%a) {kind=leaky_relu, alpha=0.1} %q = Unary(%b) {kind=leaky_relu, alpha=0.1} %y = Concat(%p, %q) {axis=1} output %y "y")"));
  ExpectRewrite(
      HoistActivations,
      G(pair +
        R"(const %s: f32[4,1,1] = [1,2,3,4] %c = Concat(%a, %b) {axis=1} %y = Binary(%c, %s) {kind=mul} output %y "y")"),
      G(pair +
        R"(const %s: f32[2,1,1] = [1,2] const %t: f32[2,1,1] = [3,4] %p = Binary(%a, %s) {kind=mul} %q = Binary(%b, %t) {kind=mul}
                           %y = Concat(%p, %q) {axis=1} output %y "y")"));
  // One operand is no convolution, or is read elsewhere too.
  ExpectUnchanged(HoistActivations,
                  G(pair + R"(%c = Concat(%a, %x) {axis=1} %y = Unary(%c) {kind=relu} output %y "y" output %b "b")"));
  ExpectUnchanged(HoistActivations,
                  G(pair + R"(%c = Concat(%a, %b) {axis=1} %y = Unary(%c) {kind=relu} output %y "y" output %b "b")"));
  ExpectUnchanged(HoistActivations,
                  G(pair + R"(%c = Concat(%a, %b) {axis=1} %y = Unary(%c) {kind=exp} output %y "y")"));
}

}  // namespace
}  // namespace tenon
