#include <gtest/gtest.h>

#include "passes/common_subexpressions.h"
#include "passes/constant_folding.h"
#include "passes/dead_code.h"
#include "passes/lower_einsum.h"
#include "passes/pass_testing.h"
#include "passes/remove_no_ops.h"
#include "passes/simplify_arithmetic.h"
#include "passes/simplify_concats.h"
#include "passes/simplify_reshapes.h"

namespace tenon {
namespace {

std::string G(const std::string& body) { return "graph \"g\" { " + body + " }"; }

TEST(ConstantFolding, EvaluatesWhatIsKnown) {
  ExpectRewrite(
      FoldConstants,
      G(R"(input %x: f32[2] const %a: f32[2] = [1,2] const %b: f32[] = [3] %c = Binary(%a, %b) {kind=mul} %y = Binary(%x, %c) output %y "y")"),
      G(R"(input %x: f32[2] const %c: f32[2] = [3,6] %y = Binary(%x, %c) output %y "y")"));
}

TEST(ConstantFolding, KnowsShapes) {
  ExpectRewrite(FoldConstants, G(R"(input %x: f32[2,6] %s = Shape(%x) %y = Reshape(%x, %s) output %y "y")"),
                G(R"(input %x: f32[2,6] const %s: i64[2] = [2,6] %y = Reshape(%x, %s) output %y "y")"));
}

TEST(ConstantFolding, KeepsWhatDependsOnInputsOrIsHuge) {
  ExpectUnchanged(FoldConstants, G(R"(input %x: f32[2] const %a: f32[2] = [1,2] %y = Binary(%x, %a) output %y "y")"));
  // 20,000,000 floats are more than the engine should carry.
  ExpectUnchanged(FoldConstants,
                  G(R"(const %a: f32[1] = [1] const %s: i64[1] = [20000000] %y = Expand(%a, %s) output %y "y")"));
}

TEST(DeadCode, RemovesWhatNobodyReads) {
  ExpectRewrite(
      RemoveDeadCode,
      G(R"(input %x: f32[4] %a = Unary(%x) {kind=exp} %b = Unary(%a) {kind=neg} %p, %q = Split(%x) {num_outputs=2} output %p "p")"),
      G(R"(input %x: f32[4] %p, _ = Split(%x) {num_outputs=2} output %p "p")"));
  ExpectUnchanged(RemoveDeadCode,
                  G(R"(input %x: f32[4] %p, %q = Split(%x) {num_outputs=2} %y = Binary(%p, %q) output %y "y")"));
}

TEST(DeadCode, RemovesUnusedConstants) {
  const auto graph = ParseGraph(G(R"(input %x: f32[2] const %a: f32[] = [1] %y = Unary(%x) {kind=exp} output %y "y")"));
  RemoveDeadCode(*graph, {});
  EXPECT_TRUE(graph->Constants().empty());
}

TEST(CommonSubexpressions, MergesEqualNodesAndConstants) {
  ExpectRewrite(
      MergeCommonSubexpressions,
      G(R"(input %x: f32[2] const %a: f32[] = [2] const %b: f32[] = [2] %p = Binary(%x, %a) {kind=mul} %q = Binary(%x, %b) {kind=mul} %y = Binary(%p, %q) output %y "y")"),
      G(R"(input %x: f32[2] const %a: f32[] = [2] %p = Binary(%x, %a) {kind=mul} %y = Binary(%p, %p) output %y "y")"));
}

TEST(CommonSubexpressions, KeepsDifferentOnesAndOutputs) {
  // Attributes, types of constants, and outputs of the graph, which have a buffer each.
  ExpectUnchanged(
      MergeCommonSubexpressions,
      G(R"(input %x: f32[2] %p = Unary(%x) {kind=exp} %q = Unary(%x) {kind=neg} %y = Binary(%p, %q) output %y "y")"));
  ExpectUnchanged(
      MergeCommonSubexpressions,
      G(R"(input %x: f32[2] const %a: f32[1] = [2] const %b: f32[] = [2] %p = Binary(%x, %a) %q = Binary(%x, %b) %y = Binary(%p, %q) output %y "y")"));
  ExpectUnchanged(
      MergeCommonSubexpressions,
      G(R"(input %x: f32[2] %p = Unary(%x) {kind=exp} %q = Unary(%x) {kind=exp} output %p "p" output %q "q")"));
}

struct NoOp {
  std::string name, body;
};
class NoOpTest : public testing::TestWithParam<NoOp> {};
TEST_P(NoOpTest, IsRemoved) {
  const std::string constants =
      "input %x: f32[1,4,2,2] const %same: i64[4] = [1,4,2,2] const %zero: i64[1] = [0] const %end: i64[1] = [99] "
      "const %one: i64[1] = [1] const %unit: f32[] = [1] const %scales: f32[4] = [1,1,1,1] "
      "const %repeats: i64[4] = [1,1,1,1] const %nothing: i64[8] = [0,0,0,0,0,0,0,0] %a = Unary(%x) {kind=exp} ";
  ExpectRewrite(RemoveNoOps, G(constants + GetParam().body + R"( %y = Unary(%b) {kind=neg} output %y "y")"),
                G(constants + R"(%y = Unary(%a) {kind=neg} output %y "y")"));
}
INSTANTIATE_TEST_SUITE_P(
    Forms, NoOpTest,
    testing::Values(NoOp{"identity", "%b = Unary(%a) {kind=identity}"}, NoOp{"cast", "%b = Cast(%a) {to=f32}"},
                    NoOp{"reshape", "%b = Reshape(%a, %same)"}, NoOp{"expand", "%b = Expand(%a, %same)"},
                    NoOp{"transpose", "%b = Transpose(%a) {perm=[0,1,2,3]}"},
                    NoOp{"slice", "%b = Slice(%a, %zero, %end, %one)"}, NoOp{"concat", "%b = Concat(%a) {axis=1}"},
                    NoOp{"split", "%b = Split(%a) {num_outputs=1}"}, NoOp{"mul", "%b = Binary(%a, %unit) {kind=mul}"},
                    NoOp{"pow", "%b = Binary(%a, %unit) {kind=pow}"}, NoOp{"resize", "%b = Resize(%a, _, %scales)"},
                    NoOp{"tile", "%b = Tile(%a, %repeats)"}, NoOp{"pad", "%b = Pad(%a, %nothing)"}),
    [](const auto& info) { return info.param.name; });

TEST(RemoveNoOps, KeepsWhatDoesSomething) {
  ExpectUnchanged(RemoveNoOps, G(R"(input %x: f32[2,2] %y = Transpose(%x) {perm=[1,0]} output %y "y")"));
  ExpectUnchanged(
      RemoveNoOps,
      G(R"(input %x: f32[4] const %s: i64[1] = [-1] const %e: i64[1] = [-99] const %a: i64[1] = [0] const %t: i64[1] = [-1]
    %r = Slice(%x, %s, %e, %a, %t) %y = Unary(%r) {kind=exp} output %y "y")"));
  ExpectUnchanged(
      RemoveNoOps,
      G(R"(input %x: f32[1] const %o: f32[3] = splat(1) %a = Binary(%x, %o) {kind=mul} %y = Unary(%a) {kind=exp} output %y "y")"));
  ExpectUnchanged(
      RemoveNoOps,
      G(R"(input %x: f32[4] const %p: i64[2] = [1,-1] %a = Pad(%x, %p) %y = Unary(%a) {kind=exp} output %y "y")"));
  // Between an input and an output something must copy.
  ExpectUnchanged(RemoveNoOps, G(R"(input %x: f32[2] %y = Unary(%x) {kind=identity} output %y "y")"));
}

TEST(SimplifyReshapes, JoinsReshapesAndWritesTargetsOut) {
  ExpectRewrite(
      SimplifyReshapes,
      G(R"(input %x: f32[1,4,6] const %s: i64[2] = [4,-1] const %t: i64[3] = [0,2,3] %a = Reshape(%x, %s) %y = Reshape(%a, %t) output %y "y")"),
      G(R"(input %x: f32[1,4,6] const %t: i64[3] = [4,2,3] %y = Reshape(%x, %t) output %y "y")"));
  ExpectRewrite(
      SimplifyReshapes,
      G(R"(input %x: f32[1,4] const %a: i64[1] = [0] %b = Squeeze(%x, %a) const %c: i64[1] = [1] %y = Unsqueeze(%b, %c) output %y "y")"),
      G(R"(input %x: f32[1,4] const %t: i64[2] = [4,1] %y = Reshape(%x, %t) output %y "y")"));
}

TEST(SimplifyReshapes, JoinsTransposes) {
  ExpectRewrite(
      SimplifyReshapes,
      G(R"(input %x: f32[2,3,4] %a = Transpose(%x) {perm=[1,2,0]} %y = Transpose(%a) {perm=[1,2,0]} output %y "y")"),
      G(R"(input %x: f32[2,3,4] %y = Transpose(%x) {perm=[2,0,1]} output %y "y")"));
  // Only ones move: no element does.
  ExpectRewrite(SimplifyReshapes, G(R"(input %x: f32[1,3,1,4] %y = Transpose(%x) {perm=[1,0,3,2]} output %y "y")"),
                G(R"(input %x: f32[1,3,1,4] const %t: i64[4] = [3,1,4,1] %y = Reshape(%x, %t) output %y "y")"));
}

TEST(SimplifyReshapes, KeepsWhatMovesElements) {
  ExpectUnchanged(
      SimplifyReshapes,
      G(R"(input %x: f32[2,3] const %t: i64[2] = [2,3] %a = Transpose(%x) {perm=[1,0]} %y = Reshape(%a, %t) output %y "y")"));
}

TEST(SimplifyConcats, TakesTheWholeForItsPieces) {
  // The C2f block.
  ExpectRewrite(
      SimplifyConcats,
      G(R"(input %x: f32[1,4,2,2] %p, %q = Split(%x) {axis=1, num_outputs=2} %r = Unary(%q) {kind=exp} %y = Concat(%p, %q, %r) {axis=1} output %y "y")"),
      G(R"(input %x: f32[1,4,2,2] %p, %q = Split(%x) {axis=1, num_outputs=2} %r = Unary(%q) {kind=exp} %y = Concat(%x, %r) {axis=1} output %y "y")"));
  ExpectRewrite(
      SimplifyConcats,
      G(R"(input %x: f32[1,5] const %0: i64[1] = [0] const %2: i64[1] = [2] const %9: i64[1] = [9] const %1: i64[1] = [1]
                  %p = Slice(%x, %0, %2, %1) %q = Slice(%x, %2, %9, %1) %y = Concat(%p, %q, %x) {axis=-1} output %y "y")"),
      G(R"(input %x: f32[1,5] %y = Concat(%x, %x) {axis=-1} output %y "y")"));
}

TEST(SimplifyConcats, JoinsNestedOnesAndSeams) {
  ExpectRewrite(
      SimplifyConcats,
      G(R"(input %x: f32[1,2] input %z: f32[1,3] %a = Concat(%x, %z) {axis=1} %y = Concat(%a, %x) {axis=-1} output %y "y")"),
      G(R"(input %x: f32[1,2] input %z: f32[1,3] %y = Concat(%x, %z, %x) {axis=-1} output %y "y")"));
  ExpectRewrite(
      SimplifyConcats,
      G(R"(input %x: f32[1,2] input %z: f32[1,3] const %s: i64[2] = [2,3] %a = Concat(%x, %z) {axis=1} %p, %q = Split(%a, %s) {axis=1, num_outputs=2}
                  %r = Unary(%p) {kind=exp} %t = Unary(%q) {kind=exp} output %r "r" output %t "t")"),
      G(R"(input %x: f32[1,2] input %z: f32[1,3] %r = Unary(%x) {kind=exp} %t = Unary(%z) {kind=exp} output %r "r" output %t "t")"));
}

TEST(SimplifyConcats, KeepsOtherPieces) {
  // In another order, along another axis, not all, with a gap, from two values; a Concat that others read.
  ExpectUnchanged(
      SimplifyConcats,
      G(R"(input %x: f32[4,4] %p, %q = Split(%x) {axis=1, num_outputs=2} %y = Concat(%q, %p) {axis=1} output %y "y")"));
  ExpectUnchanged(
      SimplifyConcats,
      G(R"(input %x: f32[4,4] %p, %q = Split(%x) {axis=1, num_outputs=2} %y = Concat(%p, %q) {axis=0} output %y "y")"));
  ExpectUnchanged(
      SimplifyConcats,
      G(R"(input %x: f32[4,6] %p, %q, _ = Split(%x) {axis=1, num_outputs=3} %y = Concat(%p, %q) {axis=1} output %y "y")"));
  ExpectUnchanged(
      SimplifyConcats,
      G(R"(input %x: f32[4,6] %p, _, %r = Split(%x) {axis=1, num_outputs=3} %y = Concat(%p, %r) {axis=1} output %y "y")"));
  ExpectUnchanged(
      SimplifyConcats,
      G(R"(input %x: f32[4,4] input %z: f32[4,4] %p, _ = Split(%x) {axis=1, num_outputs=2} _, %q = Split(%z) {axis=1, num_outputs=2}
    %y = Concat(%p, %q) {axis=1} output %y "y")"));
  ExpectUnchanged(
      SimplifyConcats,
      G(R"(input %x: f32[1,2] %a = Concat(%x, %x) {axis=1} %b = Unary(%a) {kind=exp} %y = Concat(%a, %b) {axis=1} output %y "y")"));
  ExpectUnchanged(SimplifyConcats,
                  G(R"(input %x: f32[1,2] input %z: f32[1,3] const %s: i64[2] = [3,2] %a = Concat(%x, %z) {axis=1}
    %p, %q = Split(%a, %s) {axis=1, num_outputs=2} output %p "p" output %q "q")"));
}

TEST(SimplifyArithmetic, WritesCheaperForms) {
  ExpectRewrite(SimplifyArithmetic,
                G(R"(input %x: f32[3] const %2: f32[] = [2] %y = Binary(%x, %2) {kind=pow} output %y "y")"),
                G(R"(input %x: f32[3] %y = Binary(%x, %x) {kind=mul} output %y "y")"), 1e-7);
  ExpectRewrite(SimplifyArithmetic,
                G(R"(input %x: f32[3] const %2: f32[1] = [-8] %y = Binary(%x, %2) {kind=div} output %y "y")"),
                G(R"(input %x: f32[3] const %2: f32[1] = [-0.125] %y = Binary(%x, %2) {kind=mul} output %y "y")"));
  ExpectRewrite(SimplifyArithmetic,
                G(R"(input %x: f32[3] const %c: f32[3] = [1,2,3] %y = Binary(%x, %c) {kind=sub} output %y "y")"),
                G(R"(input %x: f32[3] const %c: f32[3] = [-1,-2,-3] %y = Binary(%x, %c) output %y "y")"));
  ExpectRewrite(SimplifyArithmetic,
                G(R"(input %x: f32[3] const %c: f32[3] = [1,2,3] %y = Binary(%c, %x) {kind=mul} output %y "y")"),
                G(R"(input %x: f32[3] const %c: f32[3] = [1,2,3] %y = Binary(%x, %c) {kind=mul} output %y "y")"));
}

TEST(SimplifyArithmetic, KeepsWhatWouldRoundOtherwise) {
  ExpectUnchanged(SimplifyArithmetic,
                  G(R"(input %x: f32[3] const %3: f32[] = [3] %y = Binary(%x, %3) {kind=div} output %y "y")"));
  ExpectUnchanged(SimplifyArithmetic,
                  G(R"(input %x: f32[3] const %3: f32[] = [3] %y = Binary(%x, %3) {kind=pow} output %y "y")"));
  ExpectUnchanged(SimplifyArithmetic,
                  G(R"(input %x: f32[3] const %c: f32[] = [3] %y = Binary(%c, %x) {kind=sub} output %y "y")"));
  ExpectUnchanged(SimplifyArithmetic,
                  G(R"(input %x: i64[3] const %4: i64[] = [4] %y = Binary(%x, %4) {kind=div} output %y "y")"));
}

TEST(LowerEinsum, BecomesAMatMul) {
  // Rows "hw", columns "k", inner "c".
  ExpectRewrite(
      LowerEinsum,
      G(R"(input %a: f32[2,3,4,5] input %b: f32[2,6,3] %y = Einsum(%a, %b) {equation="bchw,bkc->bkhw"} output %y "y")"),
      G(R"(input %a: f32[2,3,4,5] input %b: f32[2,6,3] const %s: i64[3] = [2,20,3] const %t: i64[3] = [2,3,6] const %u: i64[4] = [2,4,5,6]
                  %at = Transpose(%a) {perm=[0,2,3,1]} %am = Reshape(%at, %s) {allow_zero=true}
                  %bt = Transpose(%b) {perm=[0,2,1]} %bm = Reshape(%bt, %t) {allow_zero=true}
                  %m = MatMul(%am, %bm) %r = Reshape(%m, %u) {allow_zero=true} %y = Transpose(%r) {perm=[0,3,1,2]} output %y "y")"),
      1e-6);
}

class EinsumTest : public testing::TestWithParam<std::tuple<std::string, std::string, std::string>> {};
TEST_P(EinsumTest, KeepsItsResult) {
  const auto& [a, b, equation] = GetParam();
  const auto graph = ParseGraph(G("input %a: f32" + a + " input %b: f32" + b + " %y = Einsum(%a, %b) {equation=\"" +
                                  equation + "\"} output %y \"y\""));
  const auto original = graph->Clone();
  EXPECT_TRUE(LowerEinsum(*graph, {}));
  Verify(*graph);
  ExpectSameResults(*original, *graph, 1e-6);
}
INSTANTIATE_TEST_SUITE_P(Forms, EinsumTest,
                         testing::Values(std::tuple("[1,2,3,4,5]", "[1,6,2,3]", "bmchw,bnmc->bmhwn"),
                                         std::tuple("[2,6,3]", "[2,3,4,5]", "bqc,bchw->bqhw"),
                                         std::tuple("[3,4]", "[4,5]", "ij,jk->ki"), std::tuple("[3]", "[5]", "i,j->ij"),
                                         std::tuple("[2,3,4]", "[2,4,3]", "bij,bji->b")));

TEST(LowerEinsum, KeepsWhatIsNoProduct) {
  ExpectUnchanged(LowerEinsum,
                  G(R"(input %a: f32[3,3] input %b: f32[3] %y = Einsum(%a, %b) {equation="ii,i->i"} output %y "y")"));
  ExpectUnchanged(LowerEinsum,
                  G(R"(input %a: f32[3,4] input %b: f32[3] %y = Einsum(%a, %b) {equation="ij,i->i"} output %y "y")"));
  ExpectUnchanged(LowerEinsum, G(R"(input %a: f32[3,4] %y = Einsum(%a) {equation="ij->ji"} output %y "y")"));
}

}  // namespace
}  // namespace tenon
