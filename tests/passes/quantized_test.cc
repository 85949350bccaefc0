#include <gtest/gtest.h>

#include "pass_testing.h"
#include "passes/fuse_quantized.h"
#include "passes/lower_dynamic_quantization.h"
#include "passes/move_quantization.h"
#include "passes/pass_runner.h"

namespace tenon {
namespace {

TEST(UnsignActivationsTest, MovesTheZeroPoint) {
  ExpectRewrite(UnsignActivations, R"(graph "g" {
    input %x: f32[1,4]
    const %s: f32[] = [0.02]
    const %z: i8[] = [-3]
    %q = QuantizeLinear(%x, %s, %z)
    %a = DequantizeLinear(%q, %s, %z)
    %b = DequantizeLinear(%q, %s)
    output %a "a"
    output %b "b"
  })",
                R"(graph "g" {
    input %x: f32[1,4]
    const %s: f32[] = [0.02]
    const %z: u8[] = [125]
    const %y: u8[] = [128]
    %q = QuantizeLinear(%x, %s, %z) {to=u8}
    %a = DequantizeLinear(%q, %s, %z)
    %b = DequantizeLinear(%q, %s, %y)
    output %a "a"
    output %b "b"
  })");
}

TEST(UnsignActivationsTest, LeavesWhatOthersRead) {
  ExpectUnchanged(UnsignActivations, R"(graph "output" {
    input %x: f32[1,4]
    const %s: f32[] = [0.02]
    %q = QuantizeLinear(%x, %s)
    %a = DequantizeLinear(%q, %s)
    output %a "a"
    output %q "q"
  })");
  ExpectUnchanged(UnsignActivations, R"(graph "per_channel" {
    input %x: f32[1,4]
    const %s: f32[4] = [1, 2, 3, 4]
    %q = QuantizeLinear(%x, %s)
    %a = DequantizeLinear(%q, %s)
    output %a "a"
  })");
}

constexpr const char* kParameters = R"(
    const %s: f32[] = [0.02]
    const %t: f32[] = [0.05]
    const %z: u8[] = [100]
)";

std::string Net(const std::string& body) { return std::string("graph \"g\" {") + kParameters + body + "}"; }

TEST(MoveQuantizationTest, DequantizeSinks) {
  ExpectRewrite(MoveQuantization, Net(R"(
    input %x: u8[1,4,2,2]
    input %y: u8[1,4,2,2]
    %a = DequantizeLinear(%x, %s, %z)
    %b = DequantizeLinear(%y, %s, %z)
    %c = Concat(%a, %b) {axis=1}
    %p = Pool(%c) {kernel=[3,3], strides=[1,1], pads=[1,1,1,1]}
    %l, %r = Split(%p) {axis=1, num_outputs=2}
    %u = Unary(%l) {kind=exp}
    output %u "u"
    output %r "r")"),
                Net(R"(
    input %x: u8[1,4,2,2]
    input %y: u8[1,4,2,2]
    %c = Concat(%x, %y) {axis=1}
    %p = Pool(%c) {kernel=[3,3], strides=[1,1], pads=[1,1,1,1]}
    %l, %r = Split(%p) {axis=1, num_outputs=2}
    %a = DequantizeLinear(%l, %s, %z)
    %b = DequantizeLinear(%r, %s, %z)
    %u = Unary(%a) {kind=exp}
    output %u "u"
    output %b "r")"));
}

TEST(MoveQuantizationTest, QuantizeRises) {
  ExpectRewrite(MoveQuantization, Net(R"(
    input %x: f32[1,4,2,2]
    input %y: f32[1,4,2,2]
    const %scales: f32[4] = [1, 1, 2, 2]
    %e = Unary(%x) {kind=exp}
    %n = Unary(%y) {kind=neg}
    %c = Concat(%e, %n) {axis=1}
    %r = Resize(%c, _, %scales) {mode=nearest}
    %q = QuantizeLinear(%r, %s, %z) {to=u8}
    %d = DequantizeLinear(%q, %s, %z)
    output %d "d")"),
                Net(R"(
    input %x: f32[1,4,2,2]
    input %y: f32[1,4,2,2]
    const %scales: f32[4] = [1, 1, 2, 2]
    %e = Unary(%x) {kind=exp}
    %n = Unary(%y) {kind=neg}
    %q = QuantizeLinear(%e, %s, %z) {to=u8}
    %p = QuantizeLinear(%n, %s, %z) {to=u8}
    %c = Concat(%q, %p) {axis=1}
    %r = Resize(%c, _, %scales) {mode=nearest}
    %d = DequantizeLinear(%r, %s, %z)
    output %d "d")"));
}

TEST(MoveQuantizationTest, ConcatOfUnequalScalesRescales) {
  ExpectRewrite(MoveQuantization, Net(R"(
    input %x: u8[1,4]
    input %y: u8[1,4]
    %a = DequantizeLinear(%x, %s, %z)
    %b = DequantizeLinear(%y, %t, %z)
    %c = Concat(%a, %b) {axis=1}
    %q = QuantizeLinear(%c, %t, %z) {to=u8}
    %d = DequantizeLinear(%q, %t, %z)
    output %d "d")"),
                Net(R"(
    input %x: u8[1,4]
    input %y: u8[1,4]
    %a = DequantizeLinear(%x, %s, %z)
    %b = QuantizeLinear(%a, %t, %z) {to=u8}
    %c = Concat(%b, %y) {axis=1}
    %d = DequantizeLinear(%c, %t, %z)
    output %d "d")"));
}

TEST(MoveQuantizationTest, LeavesArithmeticAndOtherReadersAlone) {
  // Averages are not elements; a linear resize neither.
  ExpectUnchanged(MoveQuantization, Net(R"(
    input %x: u8[1,4,2,2]
    %a = DequantizeLinear(%x, %s, %z)
    %p = Pool(%a) {kind=average, kernel=[2,2]}
    output %p "p")"));
  ExpectUnchanged(MoveQuantization, Net(R"(
    input %x: f32[1,4,2,2]
    const %scales: f32[4] = [1, 1, 2, 2]
    %r = Resize(%x, _, %scales) {mode=linear}
    %q = QuantizeLinear(%r, %s, %z) {to=u8}
    output %q "q")"));
  // The real result of the move is read too; a part of a tensor is cheaper to quantise than the whole.
  ExpectUnchanged(MoveQuantization, Net(R"(
    input %x: f32[1,4,2,2]
    %t1 = Transpose(%x) {perm=[0,2,3,1]}
    %q = QuantizeLinear(%t1, %s, %z) {to=u8}
    output %q "q"
    output %t1 "t")"));
  ExpectUnchanged(MoveQuantization, Net(R"(
    input %x: f32[1,4,2,2]
    %l, %r = Split(%x) {axis=1, num_outputs=2}
    %q = QuantizeLinear(%l, %s, %z) {to=u8}
    %e = Unary(%r) {kind=exp}
    %d = DequantizeLinear(%q, %s, %z)
    output %d "d"
    output %e "e")"));
}

// x [1,2,2,2] u8, 3 output channels of 1x1.
std::string ConvNet(const std::string& weights, const std::string& tail, const std::string& attrs = "activation=silu",
                    const std::string& operands = "%x, %w, %b", const std::string& head = "") {
  return Net(R"(
    input %xq: u8[1,2,2,2]
    const %b: f32[3] = [0.5, -1, 2]
    %x = DequantizeLinear(%xq, %s, %z)
)" + weights +
             head + "%y = Conv(" + operands + ") {strides=[1,1], dilations=[1,1], pads=[0,0,0,0], " + attrs + "}\n" +
             tail);
}

const std::string kWeights = R"(
    const %wq: i8[3,2,1,1] = [1, -127, 5, 6, -7, 100]
    const %ws: f32[3] = [0.01, 0.02, 0.03]
    %w = DequantizeLinear(%wq, %ws) {axis=0}
)";

std::string IntegerNet(const std::string& attrs, const std::string& tail, const std::string& residual = "_",
                       const std::string& head = "", const std::string& scales = "[0.01, 0.02, 0.03]") {
  return Net(R"(
    input %xq: u8[1,2,2,2]
    const %b: f32[3] = [0.5, -1, 2]
    const %wq: i8[3,2,1,1] = [1, -127, 5, 6, -7, 100]
    const %ws: f32[3] = )" +
             scales + "\n" + head + "%y = Conv(%xq, %wq, %b, " + residual +
             ", %ws) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0], activation=silu, compute=i8, x_scale=0.02, "
             "x_zero_point=100" +
             attrs + "}\n" + tail);
}

TEST(FuseQuantizedTest, ConvStoresRealNumbersWhereNobodyQuantises) {
  const std::string tail = "%e = Unary(%y) {kind=neg}\n output %e \"e\"";
  ExpectRewrite(FuseQuantized, ConvNet(kWeights, tail), IntegerNet("", tail), 1e-6);
}

TEST(FuseQuantizedTest, ConvStoresWhatOneQuantizerReads) {
  ExpectRewrite(FuseQuantized, ConvNet(kWeights, "%q = QuantizeLinear(%y, %t, %z) {to=u8}\n output %q \"q\""),
                IntegerNet(", out=u8, y_scale=0.05, y_zero_point=100", "output %y \"q\""), 1e-6);
}

TEST(FuseQuantizedTest, RealReadersKeepTheRealStore) {
  const std::string tail = R"(%q = QuantizeLinear(%y, %t, %z) {to=u8}
    %e = Unary(%y) {kind=neg}
    output %q "q"
    output %e "e")";
  ExpectRewrite(FuseQuantized, ConvNet(kWeights, tail), IntegerNet("", tail), 1e-6);
}

TEST(FuseQuantizedTest, ResidualInEightBitsOrReal) {
  const std::string tail = "output %y \"y\"";
  ExpectRewrite(FuseQuantized,
                ConvNet(kWeights, tail, "activation=silu", "%x, %w, %b, %r",
                        "input %rq: u8[1,3,2,2]\n %r = DequantizeLinear(%rq, %t, %z)\n"),
                IntegerNet(", residual_scale=0.05, residual_zero_point=100", tail, "%rq", "input %rq: u8[1,3,2,2]\n"),
                1e-6);
  ExpectRewrite(FuseQuantized, ConvNet(kWeights, tail, "activation=silu", "%x, %w, %b, %r", "input %r: f32[1,3,2,2]\n"),
                IntegerNet("", tail, "%r", "input %r: f32[1,3,2,2]\n"), 1e-6);
}

TEST(FuseQuantizedTest, AFloatConvStoresBytesWhereOneQuantizerReads) {
  const auto net = [](const std::string& attrs, const std::string& tail) {
    return Net(R"(
    input %x: f32[1,2,2,2]
    input %r: f32[1,3,2,2]
    const %b: f32[3] = [0.5, -1, 2]
    const %w: f32[3,2,1,1] = random(1)
    %y = Conv(%x, %w, %b, %r) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0], activation=silu)" +
               attrs + "}\n" + tail);
  };
  ExpectRewrite(FuseQuantized, net("", "%q = QuantizeLinear(%y, %t, %z) {to=u8}\n output %q \"q\""),
                net(", out=u8, y_scale=0.05, y_zero_point=100", "output %y \"q\""), 1e-6);
}

TEST(FuseQuantizedTest, WeightsOfOneScaleAndUnsignedWeights) {
  ExpectRewrite(FuseQuantized,
                ConvNet(R"(
    const %wq: u8[3,2,1,1] = [129, 1, 133, 134, 121, 228]
    const %centre: u8[] = [128]
    %w = DequantizeLinear(%wq, %s, %centre)
)",
                        "output %y \"y\""),
                IntegerNet("", "output %y \"y\"", "_", "", "splat(0.02)"), 1e-6);
}

TEST(FuseQuantizedTest, LeavesWhatIntegersCannotCompute) {
  const std::string tail = "output %y \"y\"";
  ExpectUnchanged(FuseQuantized, ConvNet("const %w: f32[3,2,1,1] = random(1)\n", tail));
  ExpectUnchanged(FuseQuantized, ConvNet(R"(
    const %wq: i8[3,2,1,1] = random(1)
    const %five: i8[] = [5]
    %w = DequantizeLinear(%wq, %s, %five)
)",
                                         tail));  // asymmetric
  ExpectUnchanged(FuseQuantized, ConvNet(R"(
    const %wq: i8[3,2,1,1] = random(1)
    const %ws: f32[2] = [1, 2]
    %w = DequantizeLinear(%wq, %ws) {axis=1}
)",
                                         tail));  // scales along the input channels
  ExpectUnchanged(FuseQuantized, ConvNet(kWeights, tail, "compute=bf16"));
  ExpectUnchanged(FuseQuantized,
                  ConvNet(kWeights, tail, "activation=silu", "%xr, %w, %b", "%xr = Unary(%x) {kind=neg}\n"));
  ExpectUnchanged(FuseQuantized, Net(R"(
    input %xq: u8[1,70000,1,1]
    const %wq: i8[1,70000,1,1] = splat(1)
    %x = DequantizeLinear(%xq, %s, %z)
    %w = DequantizeLinear(%wq, %s)
    %y = Conv(%x, %w) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}
    output %y "y")"));  // sums of more than 32 bits
}

TEST(FoldQuantizedWeightsTest, FoldsWhatIsLeft) {
  ExpectRewrite(FoldQuantizedWeights, Net(R"(
    input %x: f32[1,2,1,1]
    const %wq: i8[1,2,1,1] = [1, -2]
    %w = DequantizeLinear(%wq, %t)
    %y = Conv(%x, %w) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}
    output %y "y")"),
                Net(R"(
    input %x: f32[1,2,1,1]
    const %w: f32[1,2,1,1] = [0.05, -0.1]
    %y = Conv(%x, %w) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}
    output %y "y")"));
}

// As ONNX Runtime writes it: i8 activations, biases as i32, a Q and a DQ around everything, one of them a Concat of
// unequal scales. Two convolutions of integers, no float weights, no DQ of constants left.
TEST(QuantizedModelTest, StaticQuantisationOfOnnxRuntime) {
  const auto graph = ParseGraph(R"(graph "qdq" {
    input %x: f32[1,2,4,4]
    const %s0: f32[] = [0.015]
    const %s1: f32[] = [0.02]
    const %s2: f32[] = [0.03]
    const %z: i8[] = [-5]
    const %wq: i8[4,2,3,3] = random(1)
    const %vq: i8[3,6,1,1] = random(2)
    const %ws: f32[] = [0.004]
    const %bq: i32[4] = [100, -2000, 3, 4]
    const %bs: f32[] = [0.00006]
    %xq = QuantizeLinear(%x, %s0, %z)
    %xd = DequantizeLinear(%xq, %s0, %z)
    %w = DequantizeLinear(%wq, %ws)
    %b = DequantizeLinear(%bq, %bs)
    %c = Conv(%xd, %w, %b) {strides=[1,1], dilations=[1,1], pads=[1,1,1,1]}
    %r = Unary(%c) {kind=relu}
    %rq = QuantizeLinear(%r, %s1, %z)
    %rd = DequantizeLinear(%rq, %s1, %z)
    %j = Concat(%rd, %xd) {axis=1}
    %jq = QuantizeLinear(%j, %s2, %z)
    %jd = DequantizeLinear(%jq, %s2, %z)
    %v = DequantizeLinear(%vq, %ws)
    %y = Conv(%jd, %v) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}
    output %y "y"
  })");
  const auto original = graph->Clone();
  RunPasses(*graph, {});
  ExpectSameResults(*original, *graph, 1e-5);
  const std::string text = Canonical(*graph);
  const auto count = [&](const std::string& part) {
    size_t found = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count("compute=i8"), 2u) << text;
  EXPECT_EQ(count("out=u8"), 1u) << text;
  EXPECT_EQ(count("i8[4,2,3,3]"), 1u) << text;
  EXPECT_EQ(count(" = Concat"), 1u) << text;
}

TEST(FuseQuantizedTest, MatMulsByOneMatrix) {
  const std::string head = R"(graph "g" {
    input %x: u8[2,3,4]
    const %w: i8[4,2] = [1,-2,3,-4,5,-6,7,-8]
    const %s: f32[] = [0.5]
    const %z: u8[] = [100]
    const %b: f32[2] = [1, 2]
)";
  ExpectRewrite(FuseQuantized, head + R"(
    const %c: f32[2] = [0.25, 0.125]
    %r = DequantizeLinear(%x, %s, %z)
    %v = DequantizeLinear(%w, %c) {axis=-1}
    %m = MatMul(%r, %v, %b) {activation=relu}
    %q = QuantizeLinear(%m, %s, %z) {to=u8}
    output %q "q"
  })",
                head + R"(
    const %c: f32[2] = [0.25, 0.125]
    %q = MatMul(%x, %w, %b, _, %c) {activation=relu, compute=i8, out=u8, x_scale=0.5, x_zero_point=100, y_scale=0.5, y_zero_point=100}
    output %q "q"
  })");
}

TEST(FuseQuantizedTest, LeavesMatMulsWithScalesPerRow) {
  ExpectUnchanged(FuseQuantized, R"(graph "g" {
    input %x: u8[2,3,2]
    const %w: i8[2,2] = [1,-2,3,-4]
    const %s: f32[] = [0.5]
    const %z: u8[] = [100]
    const %c: f32[2] = [0.25, 0.125]
    %r = DequantizeLinear(%x, %s, %z)
    %v = DequantizeLinear(%w, %c) {axis=0}
    %m = MatMul(%r, %v)
    output %m "q"
  })");
}

// A factor per channel before Q is part of what the conv stores.
TEST(FuseQuantizedTest, TakesFactorsOfChannels) {
  const std::string head = R"(graph "g" {
    input %x: f32[1,2,3,3]
    const %w: f32[2,2,1,1] = random(1)
    const %s: f32[] = [0.02]
    const %z: u8[] = [100]
)";
  ExpectRewrite(FuseQuantized, head + R"(
    const %f: f32[2,1,1] = [1, 4]
    %c = Conv(%x, %w) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0], activation=relu}
    %m = Binary(%c, %f) {kind=mul}
    %q = QuantizeLinear(%m, %s, %z) {to=u8}
    output %q "q"
  })",
                head + R"(
    const %f: f32[2] = [1, 4]
    %q = Conv(%x, %w, _, _, _, %f) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0], activation=relu, out=u8, y_scale=0.02, y_zero_point=100}
    output %q "q"
  })",
                1.0 / 256);  // a value may be stored one off; relative to 1 + |x|
}

TEST(FuseQuantizedTest, LeavesOtherFactors) {
  for (const char* factors : {"f32[1,1,3] = [1, 2, 3]", "f32[2,1,1] = [1, -4]", "f32[2,1,1] = [0, 1]"}) {
    ExpectUnchanged(FuseQuantized, std::string(R"(graph "g" {
      input %x: f32[1,2,3,3]
      const %w: f32[2,2,1,1] = random(1)
      const %s: f32[] = [0.02]
      const %z: u8[] = [100]
      const %f: )") + factors + R"(
      %c = Conv(%x, %w) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}
      %m = Binary(%c, %f) {kind=mul}
      %q = QuantizeLinear(%m, %s, %z) {to=u8}
      output %q "q"
    })");
  }
}

// What DynamicQuantizeLinear and ConvInteger are imported as: whole numbers that stay floats.
TEST(LowerDynamicQuantizationTest, KeepsWholeNumbersAsFloats) {
  const std::string head = R"(graph "g" {
    input %x: f32[1,4]
    input %s: f32[]
    input %t: f32[]
    %d = Unary(%s) {kind=abs}
    %c = Unary(%t) {kind=clip, beta=255}
    %r = Unary(%c) {kind=round}
)";
  ExpectRewrite(LowerDynamicQuantization, head + R"(
    %z = Cast(%r) {to=u8}
    %q = QuantizeLinear(%x, %d, %z) {to=u8}
    %a = Cast(%q) {to=f32}
    %b = Cast(%z) {to=f32}
    %y = Binary(%a, %b) {kind=sub}
    output %y "y"
  })",
                head + R"(
    %v = Binary(%x, %d) {kind=div}
    %w = Unary(%v) {kind=round}
    %u = Binary(%w, %r)
    %k = Unary(%u) {kind=clip, beta=255}
    %y = Binary(%k, %r) {kind=sub}
    output %y "y"
  })");
}

TEST(LowerDynamicQuantizationTest, LeavesConstantScalesAndBytes) {
  ExpectUnchanged(LowerDynamicQuantization, R"(graph "g" {
    input %x: f32[1,4]
    const %s: f32[] = [0.1]
    const %z: u8[] = [3]
    %q = QuantizeLinear(%x, %s, %z) {to=u8}
    %a = Cast(%q) {to=f32}
    output %a "y"
  })");
  ExpectUnchanged(LowerDynamicQuantization, R"(graph "g" {
    input %x: f32[1,4]
    input %s: f32[]
    const %z: u8[] = [3]
    %q = QuantizeLinear(%x, %s, %z) {to=u8}
    output %q "y"
  })");
  // Numbers that a byte may not hold, and numbers that aren't whole.
  ExpectUnchanged(LowerDynamicQuantization, R"(graph "g" {
    input %x: f32[1,4]
    %c = Unary(%x) {kind=clip, beta=256}
    %r = Unary(%c) {kind=round}
    %b = Cast(%r) {to=u8}
    %y = Cast(%b) {to=f32}
    %d = Unary(%x) {kind=clip, beta=255}
    %e = Cast(%d) {to=u8}
    %z = Cast(%e) {to=f32}
    output %y "y"
    output %z "z"
  })");
}

}  // namespace
}  // namespace tenon
