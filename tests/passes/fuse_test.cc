#include <gtest/gtest.h>

#include "ops/conv.h"
#include "ops/matmul.h"
#include "passes/fuse_attention.h"
#include "passes/fuse_epilogue.h"
#include "passes/lower_dfl.h"
#include "passes/merge_sibling_convs.h"
#include "passes/pass_testing.h"

namespace tenon {
namespace {

std::string G(const std::string& body) { return "graph \"g\" { " + body + " }"; }

const std::string kConv = "input %x: f32[1,2,4,4] const %w: f32[2,2,3,3] = random(1) const %b: f32[2] = [0.5,-0.5] ";

TEST(FuseEpilogue, TakesActivations) {
  ExpectRewrite(FuseEpilogue,
                G(kConv + R"(%c = Conv(%x, %w, %b) {pads=[1,1,1,1]} %y = Unary(%c) {kind=silu} output %y "y")"),
                G(kConv + R"(%y = Conv(%x, %w, %b) {pads=[1,1,1,1], activation=silu} output %y "y")"), 1e-6);
  ExpectRewrite(FuseEpilogue,
                G(kConv + R"(%c = Conv(%x, %w) %y = Unary(%c) {kind=leaky_relu, alpha=0.1} output %y "y")"),
                G(kConv + R"(%y = Conv(%x, %w) {activation=leaky_relu, alpha=0.1} output %y "y")"), 1e-6);
  ExpectRewrite(
      FuseEpilogue,
      G(R"(input %x: f32[3,4] const %w: f32[4,5] = random(1) %c = MatMul(%x, %w) %y = Unary(%c) {kind=gelu_erf} output %y "y")"),
      G(R"(input %x: f32[3,4] const %w: f32[4,5] = random(1) %y = MatMul(%x, %w) {activation=gelu_erf} output %y "y")"),
      1e-6);
}

TEST(FuseEpilogue, TakesBias) {
  ExpectRewrite(FuseEpilogue,
                G(kConv + R"(const %d: f32[2,1,1] = [1,2] %c = Conv(%x, %w, %b) %y = Binary(%c, %d) output %y "y")"),
                G(kConv + R"(const %d: f32[2] = [1.5,1.5] %y = Conv(%x, %w, %d) output %y "y")"), 1e-6);
  ExpectRewrite(
      FuseEpilogue,
      G(R"(input %x: f32[3,4] const %w: f32[4,2] = random(1) const %d: f32[2] = [1,2] %c = MatMul(%x, %w) %y = Binary(%d, %c) output %y "y")"),
      G(R"(input %x: f32[3,4] const %w: f32[4,2] = random(1) const %d: f32[2] = [1,2] %y = MatMul(%x, %w, %d) output %y "y")"),
      1e-6);
}

TEST(FuseEpilogue, TakesTheResidualAndWhatFollows) {
  const std::string square = "input %x: f32[1,2,4,4] const %w: f32[2,2,3,3] = random(1) ";
  ExpectRewrite(
      FuseEpilogue,
      G(square +
        R"(%c = Conv(%x, %w) {pads=[1,1,1,1]} %d = Unary(%c) {kind=silu} %e = Binary(%x, %d) %y = Unary(%e) {kind=relu} output %y "y")"),
      G(square + R"(%y = Conv(%x, %w, _, %x) {pads=[1,1,1,1], activation=silu, post=relu} output %y "y")"), 1e-6);
  // Of two convolutions the later one adds the earlier's result.
  ExpectRewrite(
      FuseEpilogue,
      G(square +
        R"(%c = Conv(%x, %w) {pads=[1,1,1,1]} %d = Conv(%x, %w) {pads=[1,1,1,1], activation=relu} %y = Binary(%d, %c) output %y "y")"),
      G(square +
        R"(%c = Conv(%x, %w) {pads=[1,1,1,1]} %y = Conv(%x, %w, _, %c) {pads=[1,1,1,1], activation=relu} output %y "y")"),
      1e-6);
}

TEST(FuseEpilogue, KeepsWhatItMayNot) {
  // Two readers; a second activation; an activation with parameters after the residual; a residual that is broadcast;
  // a function that no epilogue has; a graph output.
  ExpectUnchanged(
      FuseEpilogue,
      G(kConv +
        R"(%c = Conv(%x, %w) %y = Unary(%c) {kind=relu} %z = Unary(%c) {kind=exp} output %y "y" output %z "z")"));
  ExpectUnchanged(FuseEpilogue,
                  G(kConv + R"(%c = Conv(%x, %w) {activation=relu} %y = Unary(%c) {kind=sigmoid} output %y "y")"));
  ExpectUnchanged(
      FuseEpilogue,
      G(kConv +
        R"(%c = Conv(%x, %w, _, %x) {pads=[1,1,1,1]} %y = Unary(%c) {kind=leaky_relu, alpha=0.1} output %y "y")"));
  ExpectUnchanged(
      FuseEpilogue,
      G(kConv + R"(input %r: f32[1,1,4,4] %c = Conv(%x, %w) {pads=[1,1,1,1]} %y = Binary(%c, %r) output %y "y")"));
  ExpectUnchanged(FuseEpilogue, G(kConv + R"(%c = Conv(%x, %w) %y = Unary(%c) {kind=exp} output %y "y")"));
  ExpectUnchanged(FuseEpilogue,
                  G(kConv + R"(%c = Conv(%x, %w) %y = Unary(%c) {kind=relu} output %y "y" output %c "c")"));
  ExpectUnchanged(FuseEpilogue, G(kConv + R"(%c = Conv(%x, %w) {pads=[1,1,1,1]} %y = Binary(%c, %c) output %y "y")"));
}

TEST(FuseEpilogue, UnitesSourcesAndKeepsNames) {
  const auto graph = ParseGraph(G(
      kConv +
      R"(%c = Conv(%x, %w) name "conv" sources ["conv"] %y = Unary(%c) {kind=relu} name "act" sources ["act"] output %y "y")"));
  ASSERT_TRUE(FuseEpilogue(*graph, {}));
  const Node& node = *graph->nodes().front();
  EXPECT_EQ(node.name(), "conv");
  EXPECT_EQ(node.output()->name(), "y");
  EXPECT_EQ(node.sources(), (std::vector<std::string>{"conv", "act"}));
}

const std::string kSiblings =
    "input %x: f32[1,2,4,4] const %v: f32[1,2,1,1] = [1,2] const %w: f32[2,2,1,1] = [3,4,5,6] const %b: f32[2] = "
    "[7,8] ";

TEST(MergeSiblingConvs, MakesOneWiderConv) {
  ExpectRewrite(
      MergeSiblingConvs,
      G(kSiblings +
        R"(%p = Conv(%x, %v) {activation=silu} %q = Conv(%x, %w, %b) {activation=silu} %y = Unary(%p) {kind=exp} %z = Unary(%q) {kind=exp} output %y "y" output %z "z")"),
      G(R"(input %x: f32[1,2,4,4] const %w: f32[3,2,1,1] = [1,2,3,4,5,6] const %b: f32[3] = [0,7,8] const %s: i64[2] = [1,2] %c = Conv(%x, %w, %b) {activation=silu}
                     %p, %q = Split(%c, %s) {axis=1, num_outputs=2} %y = Unary(%p) {kind=exp} %z = Unary(%q) {kind=exp} output %y "y" output %z "z")"));
}

TEST(MergeSiblingConvs, KeepsOthers) {
  const std::string tail = R"( %y = Unary(%p) {kind=exp} %z = Unary(%q) {kind=exp} output %y "y" output %z "z")";
  // Another activation, geometry or input; with a residual; graph outputs; into a Concat.
  ExpectUnchanged(MergeSiblingConvs, G(kSiblings + "%p = Conv(%x, %v) {activation=silu} %q = Conv(%x, %w)" + tail));
  ExpectUnchanged(MergeSiblingConvs, G(kSiblings + "%p = Conv(%x, %v) {pads=[1,1,1,1]} %q = Conv(%x, %w)" + tail));
  ExpectUnchanged(MergeSiblingConvs,
                  G(kSiblings + "input %u: f32[1,2,4,4] %p = Conv(%x, %v) %q = Conv(%u, %w)" + tail));
  ExpectUnchanged(MergeSiblingConvs, G(kSiblings + "%p = Conv(%x, %w) %q = Conv(%x, %w, _, %x)" + tail));
  ExpectUnchanged(MergeSiblingConvs,
                  G(kSiblings + R"(%p = Conv(%x, %v) %q = Conv(%x, %w) output %p "p" output %q "q")"));
  ExpectUnchanged(
      MergeSiblingConvs,
      G(kSiblings +
        R"(%p = Conv(%x, %v) %q = Conv(%x, %w) %r = Unary(%p) {kind=exp} %y = Concat(%r, %q) {axis=1} output %y "y")"));
  // The same with factors before the Concat: part of what the conv stores.
  ExpectUnchanged(
      MergeSiblingConvs,
      G(kSiblings +
        R"(const %f: f32[2,1,1] = [2,3] %p = Conv(%x, %v) %q = Conv(%x, %w) %s = Binary(%q, %f) {kind=mul} %r = Unary(%p) {kind=exp} %y = Concat(%r, %s) {axis=1} output %y "y")"));
}

TEST(LowerDfl, BecomesAWeightedSum) {
  const std::string bins = "input %x: f32[1,4,2,3] const %w: f32[1,4,1,1] = [0,1,2,3] ";
  ExpectRewrite(
      LowerDfl,
      G(bins + R"(%s = Softmax(%x) {axis=1} %y = Conv(%s, %w) {strides=[1,1], pads=[0,0,0,0]} output %y "y")"),
      G(bins +
        R"(const %a: i64[1] = [1] %s = Softmax(%x) {axis=1} %m = Binary(%s, %w) {kind=mul} %y = Reduce(%m, %a) output %y "y")"),
      1e-6);
  // No Softmax above; padded; several outputs.
  ExpectUnchanged(LowerDfl, G(bins + R"(%s = Unary(%x) {kind=exp} %y = Conv(%s, %w) output %y "y")"));
  ExpectUnchanged(LowerDfl, G(bins + R"(%s = Softmax(%x) {axis=1} %y = Conv(%s, %w) {pads=[1,1,1,1]} output %y "y")"));
  ExpectUnchanged(
      LowerDfl,
      G(R"(input %x: f32[1,4,2,3] const %w: f32[2,4,1,1] = random(1) %s = Softmax(%x) {axis=1} %y = Conv(%s, %w) output %y "y")"));
}

const std::string kQkv =
    "input %q: f32[1,2,5,3] input %k: f32[1,2,3,4] input %v: f32[1,2,4,6] const %s: f32[] = [0.5] ";

TEST(FuseAttention, FusesTheUsualForm) {
  ExpectRewrite(
      FuseAttention,
      G(kQkv +
        R"(%a = MatMul(%q, %k) %b = Binary(%a, %s) {kind=mul} %p = Softmax(%b) %y = MatMul(%p, %v) output %y "y")"),
      G(kQkv + R"(%y = Attention(%q, %k, %v) {scale=0.5} output %y "y")"), 1e-6);
  ExpectRewrite(
      FuseAttention,
      G(kQkv +
        R"(input %m: f32[5,4] %a = MatMul(%q, %k) %b = Binary(%a, %s) {kind=div} %c = Binary(%b, %m) %p = Softmax(%c) {axis=3} %y = MatMul(%p, %v) output %y "y")"),
      G(kQkv + R"(input %m: f32[5,4] %y = Attention(%q, %k, %v, %m) {scale=2} output %y "y")"), 1e-6);
}

TEST(FuseAttention, TakesScalesOfTheOperands) {
  ExpectRewrite(
      FuseAttention,
      G(kQkv +
        R"(%t = Binary(%q, %s) {kind=mul} %u = Binary(%k, %s) {kind=mul} %a = MatMul(%t, %u) %p = Softmax(%a) %y = MatMul(%p, %v) output %y "y")"),
      G(kQkv + R"(%y = Attention(%q, %k, %v) {scale=0.25} output %y "y")"), 1e-6);
}

TEST(FuseAttention, FusesTheFormOfYolo11) {
  const std::string qkv =
      "input %q: f32[1,2,4,3] input %k: f32[1,2,3,4] input %v: f32[1,2,6,4] const %s: f32[] = [0.5] ";
  ExpectRewrite(
      FuseAttention,
      G(qkv +
        R"(%a = MatMul(%q, %k) %b = Binary(%a, %s) {kind=mul} %p = Softmax(%b) %t = Transpose(%p) {perm=[0,1,3,2]} %y = MatMul(%v, %t) output %y "y")"),
      G(qkv +
        R"(%t = Transpose(%v) {perm=[0,1,3,2]} %a = Attention(%q, %k, %t) {scale=0.5} %y = Transpose(%a) {perm=[0,1,3,2]} output %y "y")"),
      1e-6);
}

TEST(FuseAttention, KeepsOthers) {
  // Softmax along another axis; scores or probabilities that are read elsewhere; no Softmax.
  ExpectUnchanged(FuseAttention,
                  G(kQkv + R"(%a = MatMul(%q, %k) %p = Softmax(%a) {axis=2} %y = MatMul(%p, %v) output %y "y")"));
  ExpectUnchanged(FuseAttention,
                  G(kQkv + R"(%a = MatMul(%q, %k) %p = Softmax(%a) %y = MatMul(%p, %v) output %y "y" output %a "a")"));
  ExpectUnchanged(FuseAttention,
                  G(kQkv + R"(%a = MatMul(%q, %k) %p = Softmax(%a) %y = MatMul(%p, %v) output %y "y" output %p "p")"));
  ExpectUnchanged(FuseAttention,
                  G(kQkv + R"(%a = MatMul(%q, %k) %p = Unary(%a) {kind=sigmoid} %y = MatMul(%p, %v) output %y "y")"));
}

}  // namespace
}  // namespace tenon
