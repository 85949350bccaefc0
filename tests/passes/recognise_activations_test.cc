#include "passes/recognise_activations.h"

#include <gtest/gtest.h>

#include "passes/pass_testing.h"

namespace tenon {
namespace {

/// A graph of one activation in f32 [2,3], from %x to %y.
std::string Graph1(const std::string& body) {
  return "graph \"g\" { input %x: f32[2,3] const %one: f32[] = [1] const %half: f32[1] = [0.5] const %three: f32[] = "
         "[3]"
         " const %six: f32[] = [6] const %zero: f32[] = [0] const %sixth: f32[] = [0.16666667] const %two: f32[] = [2]"
         " const %sqrt2: f32[] = [1.41421356] const %k: f32[] = [0.044715] const %c: f32[] = [0.79788456] " +
         body + " output %y \"y\" }";
}

struct Case {
  std::string name, written_out, function;
};

class RecogniseActivationsTest : public testing::TestWithParam<Case> {};

TEST_P(RecogniseActivationsTest, BecomesTheFunction) {
  ExpectRewrite(RecogniseActivations, Graph1(GetParam().written_out),
                Graph1("%y = Unary(%x) {" + GetParam().function + "}"), 1e-6);
}

const std::string kHardSigmoid = "kind=hard_sigmoid, alpha=0.16666667, beta=0.5";

INSTANTIATE_TEST_SUITE_P(
    Forms, RecogniseActivationsTest,
    testing::Values(
        Case{"silu", "%s = Unary(%x) {kind=sigmoid} %y = Binary(%x, %s) {kind=mul}", "kind=silu"},
        Case{"silu_swapped", "%s = Unary(%x) {kind=sigmoid} %y = Binary(%s, %x) {kind=mul}", "kind=silu"},
        Case{"hard_swish_of_hard_sigmoid", "%s = Unary(%x) {" + kHardSigmoid + "} %y = Binary(%x, %s) {kind=mul}",
             "kind=hard_swish"},
        Case{"hard_swish_relu6",
             "%a = Binary(%x, %three) %b = Unary(%a) {kind=clip, alpha=0, beta=6} %c2 = Binary(%x, %b) {kind=mul} "
             "%y = Binary(%c2, %six) {kind=div}",
             "kind=hard_swish"},
        Case{"hard_swish_relu6_divided_first",
             "%a = Binary(%x, %three) %b = Unary(%a) {kind=clip, alpha=0, beta=6} %c2 = Binary(%b, %six) {kind=div} "
             "%y = Binary(%x, %c2) {kind=mul}",
             "kind=hard_swish"},
        Case{"hard_swish_min_max",
             "%a = Binary(%x, %three) %b = Binary(%a, %zero) {kind=max} %b2 = Binary(%b, %six) {kind=min} "
             "%c2 = Binary(%b2, %sixth) {kind=mul} %y = Binary(%x, %c2) {kind=mul}",
             "kind=hard_swish"},
        Case{"hard_sigmoid",
             "%a = Binary(%x, %sixth) {kind=mul} %b = Binary(%a, %half) %y = Unary(%b) {kind=clip, alpha=0, beta=1}",
             kHardSigmoid},
        Case{"gelu_erf",
             "%a = Binary(%x, %sqrt2) {kind=div} %b = Unary(%a) {kind=erf} %c2 = Binary(%b, %one) %d = Binary(%x, %c2) "
             "{kind=mul} "
             "%y = Binary(%d, %half) {kind=mul}",
             "kind=gelu_erf"},
        Case{"gelu_erf_halved_first",
             "%h = Binary(%x, %half) {kind=mul} %a = Binary(%x, %sqrt2) {kind=div} %b = Unary(%a) {kind=erf} "
             "%c2 = Binary(%one, %b) %y = Binary(%h, %c2) {kind=mul}",
             "kind=gelu_erf"},
        Case{"gelu_tanh",
             "%p = Binary(%x, %three) {kind=pow} %q = Binary(%p, %k) {kind=mul} %r = Binary(%x, %q) %s = Binary(%r, "
             "%c) {kind=mul} "
             "%t = Unary(%s) {kind=tanh} %u = Binary(%t, %one) %v = Binary(%x, %u) {kind=mul} %y = Binary(%v, %half) "
             "{kind=mul}",
             "kind=gelu_tanh"},
        Case{"mish", "%a = Unary(%x) {kind=softplus} %b = Unary(%a) {kind=tanh} %y = Binary(%x, %b) {kind=mul}",
             "kind=mish"},
        Case{"mish_exp_log",
             "%e = Unary(%x) {kind=exp} %f = Binary(%e, %one) %a = Unary(%f) {kind=log} %b = Unary(%a) {kind=tanh} "
             "%y = Binary(%x, %b) {kind=mul}",
             "kind=mish"},
        Case{"relu", "%y = Binary(%x, %zero) {kind=max}", "kind=relu"},
        Case{"relu_clip", "%y = Unary(%x) {kind=clip, alpha=0, beta=3.4028235e+38}", "kind=relu"},
        Case{"clip", "%a = Binary(%x, %zero) {kind=max} %y = Binary(%a, %six) {kind=min}",
             "kind=clip, alpha=0, beta=6"},
        Case{"leaky", "%y = Binary(%x, %half) {kind=prelu}", "kind=leaky_relu, alpha=0.5"}),
    [](const auto& info) { return info.param.name; });

TEST(RecogniseActivations, KeepsLookalikes) {
  // Of another value, with other numbers, or with a result of another shape.
  ExpectUnchanged(RecogniseActivations,
                  Graph1("%z = Unary(%x) {kind=neg} %s = Unary(%z) {kind=sigmoid} %y = Binary(%x, %s) {kind=mul}"));
  ExpectUnchanged(RecogniseActivations,
                  Graph1("%a = Binary(%x, %two) {kind=div} %b = Unary(%a) {kind=erf} %c2 = Binary(%b, %one) "
                         "%d = Binary(%x, %c2) {kind=mul} %y = Binary(%d, %half) {kind=mul}"));
  ExpectUnchanged(
      RecogniseActivations,
      Graph1("%a = Binary(%x, %three) %b = Unary(%a) {kind=clip, alpha=0, beta=6} %c2 = Binary(%x, %b) {kind=mul} "
             "%y = Binary(%c2, %three) {kind=div}"));
  ExpectUnchanged(
      RecogniseActivations,
      R"(graph "g" { input %x: f32[1,3] const %z: f32[2,3] = splat(0) %y = Binary(%x, %z) {kind=max} output %y "y" })");
}

TEST(RecogniseActivations, KeepsWhatOthersRead) {
  const std::string text = Graph1("%s = Unary(%x) {kind=sigmoid} %m = Binary(%x, %s) {kind=mul} %y = Binary(%m, %s)");
  ExpectRewrite(RecogniseActivations, text,
                Graph1("%s = Unary(%x) {kind=sigmoid} %m = Unary(%x) {kind=silu} %y = Binary(%m, %s)"), 1e-6);
}

TEST(RecogniseActivations, UnitesSources) {
  const auto graph = ParseGraph(Graph1(
      R"(%s = Unary(%x) {kind=sigmoid} sources ["sigmoid"] %y = Binary(%x, %s) {kind=mul} name "mul" sources ["mul"])"));
  ASSERT_TRUE(RecogniseActivations(*graph, {}));
  ASSERT_EQ(graph->nodes().size(), 1u);
  EXPECT_EQ(graph->nodes().front()->sources(), (std::vector<std::string>{"mul", "sigmoid"}));
  EXPECT_EQ(graph->nodes().front()->output()->name(), "y");
}

}  // namespace
}  // namespace tenon
