#include <gtest/gtest.h>

#include <cstdlib>

#include "base/file.h"
#include "properties.h"

namespace tenon::property {
namespace {

/// What the random graphs found, shrunk: the title says what was wrong.
struct Regression {
  const char* title;
  const char* graph;
};

constexpr Regression kRegressions[] = {
    {"an empty constant with strides of its own made an engine that its reader refused", R"(graph "random" {
  meta "seed" "335651421"
  meta "style" "0"
  meta "variant" "0"
  input %x0: f32[1,1,2,1]
  const %0: i64[1] = [0]
  const %1: i64[1] = [0]
  const %2: i64[1] = [3]
  const %3: i64[1] = [1]
  const %5: f32[] = [-0.42700467]
  const %6: bool[1,1,2,0] = []
  %v11_0: f32[1,1,2,0] = Slice(%x0, %0, %1, %2, %3) name "n11_0"
  %v12_0: f32[1,1,2,0] = Where(%6, %v11_0, %5) name "n12_0"
  output %v12_0 "y0"
}
)"},
    {"a reshape of an empty tensor had no strides: the layout did not settle", R"(graph "random" {
  meta "seed" "1" meta "style" "0" meta "variant" "0"
  input %x: f32[1,0,1,2]
  const %s: i64[4] = [2, 1, 0, 1]
  %y: f32[2,1,0,1] = Reshape(%x, %s) {allow_zero=true}
  output %y "y"
})"},
    {"an empty result of a matrix product was copied for ever to give it unit strides", R"(graph "random" {
  meta "seed" "1" meta "style" "0" meta "variant" "0"
  input %x: f32[1,2,1,0]
  const %w: f32[1,4] = [-0.5, -1.25, 0.125, -1.75]
  %t: f32[1,2,0,1] = Transpose(%x) {perm=[0,1,3,2]}
  %p: f32[1,2,0,4] = MatMul(%t, %w)
  %a: f32[1,1,0,4], %b: f32[1,1,0,4] = Split(%p) {axis=1, num_outputs=2}
  output %a "y0"
  output %b "y1"
})"},
    {"an empty part of a concat lay behind the end of its memory: its own engine was refused", R"(graph "random" {
  meta "seed" "1" meta "style" "0" meta "variant" "0"
  input %x: f32[1,1,0,1]
  %y: f32[1,2,0,1] = Concat(%x, %x) {axis=1}
  output %y "y"
})"},
    {"a matrix product of two run-time operands without bias lacked its zeros", R"(graph "random" {
  meta "seed" "1" meta "style" "0" meta "variant" "0"
  input %x: f32[1,2,2]
  %y: f32[1,2,2] = MatMul(%x, %x)
  output %y "y"
})"},
    {"empty constants made an engine that was another file when written again", R"(graph "random" {
  meta "seed" "1" meta "style" "0" meta "variant" "0"
  input %x: f32[1,1,0,1]
  const %a: f32[1,1,0,1] = []
  const %c: bool[1,1,0,1] = []
  %y: f32[1,1,0,1] = Where(%c, %x, %a)
  output %y "y"
})"},
    {"BF16 weights came back from packing as FP32: no plan from the portable part", R"(graph "random" {
  meta "seed" "1" meta "style" "0" meta "variant" "0"
  input %x: bf16[1,1,4,4]
  const %w: bf16[4,1,3,3] = random(1)
  %y: bf16[1,4,2,2] = Conv(%x, %w) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0], compute=bf16, out=bf16}
  output %y "y"
})"},
    {"a channels-last convolution behind a reshape that splits channels got copy after copy", R"(graph "random" {
  meta "seed" "1" meta "style" "0" meta "variant" "0"
  input %x: f32[1,1,7,1]
  const %p: i64[8] = [0, 2, 1, 0, 0, 0, 1, 0]
  const %s: i64[4] = [1, 9, 3, 1]
  const %w: f32[4,9,1,1] = random(1)
  %a: f32[1,3,9,1] = Pad(%x, %p)
  %b: f32[1,9,3,1] = Reshape(%a, %s)
  %y: f32[1,4,3,1] = Conv(%b, %w) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}
  output %y "y"
})"},
    {"the same, read as its input and as its residual", R"(graph "random" {
  meta "seed" "1" meta "style" "0" meta "variant" "0"
  input %x: f32[1,2,4,1]
  const %s: i64[4] = [1, 4, 2, 1]
  const %w: f32[4,4,1,1] = random(1)
  %a: f32[1,2,4,1] = Softmax(%x) {axis=0}
  %b: f32[1,4,2,1] = Reshape(%a, %s)
  %y: f32[1,4,2,1] = Conv(%b, %w, _, %b) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}
  output %y "y"
})"},
    {"a half convolution of a reshaped graph input", R"(graph "random" {
  meta "seed" "1" meta "style" "0" meta "variant" "0"
  input %x: f32[1,2,2,3]
  const %s: i64[4] = [3, 2, 2, 1]
  const %w: f32[4,2,1,1] = random(1)
  %a: f32[3,2,2,1] = Reshape(%x, %s)
  %y: f32[3,4,2,1] = Conv(%a, %w) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}
  output %y "y"
})"},
    {"the maximum of NaN and numbers was a number on the CPU", R"(graph "random" {
  meta "seed" "2950714796" meta "style" "2" meta "variant" "0"
  input %x0: f32[6,1,7]
  const %0: i64[0] = []
  %y: f32[1,1,1] = Reduce(%x0, %0) {kind=max}
  output %y "y"
})"},
    {"a pooled NaN depended on its place in the window", R"(graph "random" {
  meta "seed" "5" meta "style" "2" meta "variant" "0"
  input %x: f32[1,4,9,9]
  %y: f32[1,4,8,8], _ = Pool(%x) {kernel=[2,2], strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}
  output %y "y"
})"},
    {"a scale of shape [1] met a scalar zero point when i8 activations became u8", R"(graph "random" {
  meta "seed" "1" meta "style" "0" meta "variant" "0"
  input %x: f32[1,1,1,1]
  const %s: f32[1] = [0.02]
  %q: i8[1,1,1,1] = QuantizeLinear(%x, %s)
  %y: f32[1,1,1,1] = DequantizeLinear(%q, %s)
  output %y "y"
})"},
    {"in half, a padding value stayed FP32 beside a BF16 tensor", R"(graph "random" {
  meta "seed" "1" meta "style" "0" meta "variant" "0"
  input %x: f32[1,8,2,2]
  const %w: f32[4,8,1,1] = random(1)
  const %p: i64[8] = [0, 0, 1, 1, 0, 0, 1, 1]
  const %v: f32[] = [0.5]
  const %u: f32[4,4,1,1] = random(2)
  %a: f32[1,4,2,2] = Conv(%x, %w) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}
  %b: f32[1,4,4,4] = Pad(%a, %p, %v)
  %y: f32[1,4,4,4] = Conv(%b, %u) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}
  output %y "y"
})"},
    {"a constant added to a matrix times a vector became a bias, which such a product can't have", R"(graph "random" {
  meta "seed" "1" meta "style" "0" meta "variant" "0"
  input %x: f32[1,3,2]
  const %v: f32[2] = [-0.5, 0.75]
  const %c: f32[] = [0.25]
  %a: f32[1,3] = MatMul(%x, %v)
  %y: f32[1,3] = Binary(%a, %c)
  output %y "y"
})"},
};

/// How a graph that a long run found is looked at: TENON_PROPERTY_GRAPH=FILE property_tests --gtest_filter=*OfAFile
TEST(RegressionTest, GraphOfAFile) {
  const char* path = std::getenv("TENON_PROPERTY_GRAPH");
  if (!path) GTEST_SKIP() << "TENON_PROPERTY_GRAPH names no file";
  EXPECT_EQ(WhatFails(ReadTextFile(path).c_str()), "");
}

TEST(RegressionTest, StaysFixed) {
  for (const Regression& regression : kRegressions) EXPECT_EQ(WhatFails(regression.graph), "") << regression.title;
}

}  // namespace
}  // namespace tenon::property
