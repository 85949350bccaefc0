#include "backends/cpu/conv_direct.h"

#include "base/error.h"
#include "conv_harness.h"

namespace tenon::cpu {
namespace {

/// Every candidate against the naive convolution; all candidates must agree to the bit.
void CheckAllCandidates(const ConvCase& c, const CpuFeatures& features) {
  SCOPED_TRACE(Describe(c));
  ConvHarness harness(c);
  ASSERT_EQ(WhyUnsupported(harness.problem(), features), "");
  std::vector<std::byte> first;
  int index = 0;
  for (const ConvTactic& tactic : ConvCandidates(harness.problem(), features, 2)) {
    SCOPED_TRACE(tactic.ToString());
    EXPECT_EQ(ConvTactic::Parse(tactic.ToString()), tactic);
    const auto packed = PackConv(harness.problem(), tactic, features, harness.weights(), harness.bias());
    EXPECT_EQ(UnpackConvWeights(harness.problem(), tactic, features, packed), harness.weights());
    EXPECT_EQ(UnpackConvBias(harness.problem(), tactic, features, packed), harness.bias());
    const DirectConv conv(harness.problem(), tactic, features);
    const auto bytes = harness.RunAndCheck(packed, [&](const ConvArgs& args) {
      const int64_t items = conv.work_items();
      for (int64_t i = 0; i < items; ++i) conv.Run(args, index % 2 == 0 ? i : items - 1 - i);
    });
    if (index++ == 0) first = bytes;
    EXPECT_TRUE(bytes == first) << "differs from the first candidate";
    if (testing::Test::HasFailure()) return;
  }
}

/// In FP32 with AVX2, and with AVX-512 and in BF16 where this machine has them.
void CheckEverywhere(ConvCase c) {
  const CpuFeatures all = DetectCpuFeatures();
  c.in = c.out = c.compute = DType::kFloat32;
  if (c.residual == ConvCase::Residual::kBFloat16) c.residual = ConvCase::Residual::kFloat32;
  CheckAllCandidates(c, Avx2Only());
  if (all.avx512) CheckAllCandidates(c, all);
  if (!all.avx512_bf16) return;
  c.out = DType::kBFloat16;  // FP32 arithmetic, as a stem has it
  CheckAllCandidates(c, all);
  c.in = c.compute = DType::kBFloat16;
  if (c.residual == ConvCase::Residual::kFloat32) c.residual = ConvCase::Residual::kBFloat16;
  CheckAllCandidates(c, all);
  c.out = DType::kFloat32;
  CheckAllCandidates(c, all);
  c.compute = DType::kFloat32;  // BF16 inputs, FP32 weights and products
  CheckAllCandidates(c, all);
}

ConvProblem Square(int ic, int oc, int size, int kernel, int stride = 1, int pad = -1) {
  if (pad < 0) pad = kernel / 2;
  return WithPads(
      {.ic = ic, .ih = size, .iw = size, .oc = oc, .kh = kernel, .kw = kernel, .stride_h = stride, .stride_w = stride},
      pad, pad, pad, pad);
}

TEST(DirectConvTest, OutputChannelTails) {
  for (const int oc : {1, 3, 8, 16, 17, 31, 32, 64, 80, 85})
    CheckEverywhere({.p = Square(6, oc, 9, 3), .in_gap = 5, .out_gap = 7});
}

TEST(DirectConvTest, InputChannelTails) {
  for (const int ic : {1, 2, 3, 5, 16, 33, 64}) {
    CheckEverywhere({.p = Square(ic, 20, 7, 3), .in_gap = 0, .out_gap = 1});
    CheckEverywhere({.p = Square(ic, 20, 7, 1), .in_gap = 3});
  }
}

TEST(DirectConvTest, Strides) {
  for (const int stride : {1, 2, 3}) {
    for (const int kernel : {1, 2, 3, 5, 7}) CheckEverywhere({.p = Square(4, 24, 13, kernel, stride), .in_gap = 1});
  }
}

TEST(DirectConvTest, AsymmetricPadsAndDilation) {
  const ConvProblem p{
      .n = 2, .ic = 5, .ih = 11, .iw = 14, .oc = 18, .kh = 3, .kw = 4, .dilation_h = 2, .dilation_w = 3};
  CheckEverywhere({.p = WithPads(p, 0, 3, 2, 1)});
  CheckEverywhere({.p = WithPads(p, 2, 0, 0, 5), .in_gap = 2});
  ConvProblem strided = p;
  strided.stride_h = 2;
  strided.stride_w = 3;
  CheckEverywhere({.p = WithPads(strided, 4, 5, 1, 2)});
}

TEST(DirectConvTest, KernelLargerThanImage) {
  CheckEverywhere({.p = Square(3, 17, 2, 7)});
  CheckEverywhere({.p = Square(3, 17, 1, 5)});
  // Rows and columns that see no input at all hold the bias alone.
  CheckEverywhere({.p = WithPads({.ic = 3, .ih = 2, .iw = 2, .oc = 17, .kh = 2, .kw = 2}, 4, 4, 5, 3)});
}

TEST(DirectConvTest, Crops) {
  CheckEverywhere({.p = WithPads({.ic = 3, .ih = 12, .iw = 12, .oc = 17, .kh = 3, .kw = 3}, -2, -1, -3, -2)});
}

TEST(DirectConvTest, ThinImages) {
  CheckEverywhere({.p = WithPads({.ic = 8, .ih = 30, .iw = 1, .oc = 32, .kh = 3, .kw = 3}, 1, 1, 1, 1)});
  CheckEverywhere({.p = WithPads({.ic = 8, .ih = 1, .iw = 57, .oc = 32, .kh = 1, .kw = 5}, 0, 2, 0, 2)});
}

TEST(DirectConvTest, Pointwise) {
  CheckEverywhere({.p = Square(40, 48, 10, 1)});
  ConvProblem p = Square(17, 100, 6, 1);
  p.n = 3;
  CheckEverywhere({.p = p, .in_gap = 4, .out_gap = 4, .residual = ConvCase::Residual::kFloat32});
}

TEST(DirectConvTest, Groups) {
  for (const int groups : {2, 3, 6}) {
    ConvProblem p = Square(12, 36, 7, 3);
    p.groups = groups;
    p.n = 2;
    CheckEverywhere({.p = p, .in_gap = 1, .out_gap = 2, .residual = ConvCase::Residual::kFloat32});
  }
  ConvProblem depthwise = Square(6, 12, 7, 3);
  depthwise.groups = 6;
  CheckEverywhere({.p = depthwise});
}

TEST(DirectConvTest, PlanarInput) {
  CheckEverywhere({.p = Square(3, 16, 33, 3, 2), .planar_input = true});
  CheckEverywhere({.p = Square(3, 48, 20, 6, 2, 2), .planar_input = true});
  CheckEverywhere({.p = Square(9, 20, 12, 1), .planar_input = true});
}

TEST(DirectConvTest, ResidualAndSecondActivation) {
  for (const auto residual : {ConvCase::Residual::kFloat32, ConvCase::Residual::kBFloat16}) {
    ConvCase c{.p = Square(8, 40, 9, 3), .in_gap = 3, .out_gap = 1, .residual = residual};
    c.p.epilogue.activation = {Activation::kSilu};
    CheckEverywhere(c);
    c.p.epilogue.activation = {};
    c.p.epilogue.post_activation = {Activation::kRelu};
    CheckEverywhere(c);
  }
}

TEST(DirectConvTest, AllActivations) {
  for (size_t i = 0; i < kActivationNames.size(); ++i) {
    ConvCase c{.p = Square(5, 37, 8, 3)};
    const auto kind = static_cast<Activation>(i);
    c.p.epilogue.activation = {kind, kind == Activation::kClip ? -0.5f : 0.2f, 0.75f};
    CheckEverywhere(c);
  }
}

TEST(DirectConvTest, UpsampledStore) {
  for (const int oc : {16, 37, 64}) CheckEverywhere({.p = Square(8, oc, 7, 1), .out_gap = 2, .upsample = true});
  CheckEverywhere({.p = Square(8, 37, 7, 3), .residual = ConvCase::Residual::kFloat32, .upsample = true});
}

TEST(DirectConvTest, RandomProblems) {
  std::mt19937 random(7);
  const auto pick = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  for (int i = 0; i < 60; ++i) {
    ConvProblem p{.n = pick(1, 2), .ih = pick(1, 20), .iw = pick(1, 40), .kh = pick(1, 5), .kw = pick(1, 5)};
    p.groups = pick(0, 3) == 0 ? pick(1, 4) : 1;
    p.ic = p.groups * pick(1, 20);
    p.oc = p.groups * pick(1, 70);
    p.stride_h = pick(1, 3);
    p.stride_w = pick(1, 3);
    p.dilation_h = pick(1, 2);
    p.dilation_w = pick(1, 2);
    const auto pads = [&](int size, int kernel, int dilation, int& low, int& high) {
      const int span = (kernel - 1) * dilation + 1;
      low = pick(0, span);
      high = std::max(pick(0, span), span - size - low);
    };
    int top, left, bottom, right;
    pads(p.ih, p.kh, p.dilation_h, top, bottom);
    pads(p.iw, p.kw, p.dilation_w, left, right);
    ConvCase c{.p = WithPads(p, top, left, bottom, right),
               .planar_input = pick(0, 5) == 0,
               .in_gap = pick(0, 4),
               .out_gap = pick(0, 4)};
    if (pick(0, 2) == 0) c.residual = ConvCase::Residual::kFloat32;
    c.p.epilogue.activation = {static_cast<Activation>(pick(0, 12)), 0.1f, 0.6f};
    c.upsample = pick(0, 4) == 0;
    CheckEverywhere(c);
    if (HasFailure()) return;
  }
}

TEST(ConvTacticTest, ParseRefusesOtherText) {
  for (const char* text : {"", "v4", "v4 p5 rb4", "v4 p5 rb4 x", "v0 p5 rb4 oc", "v-1 p5 rb4 oc", "v4 p5 rb4 oc ",
                           "v99999999999 p5 rb4 oc"}) {
    EXPECT_THROW(ConvTactic::Parse(text), Error) << text;
  }
}

TEST(ConvTacticTest, TooManyRegistersIsAnError) {
  ConvHarness harness({.p = Square(4, 64, 8, 3)});
  EXPECT_THROW(DirectConv(harness.problem(), ConvTactic{.vectors = 4, .pixels = 9}, DetectCpuFeatures()), Error);
  EXPECT_THROW(DirectConv(harness.problem(), ConvTactic{.vectors = 4, .pixels = 6}, Avx2Only()), Error);
}

TEST(ConvPackTest, WrongSizesAreErrors) {
  ConvHarness harness({.p = Square(4, 64, 8, 3)});
  const ConvTactic tactic{.vectors = 2, .pixels = 4};
  auto weights = harness.weights();
  weights.pop_back();
  const CpuFeatures features = DetectCpuFeatures();
  EXPECT_THROW(PackConv(harness.problem(), tactic, features, weights, harness.bias()), Error);
  EXPECT_THROW(PackConv(harness.problem(), tactic, features, harness.weights(), std::vector<float>(3)), Error);
  EXPECT_THROW(UnpackConvWeights(harness.problem(), tactic, features, std::vector<std::byte>(5)), Error);
}

}  // namespace
}  // namespace tenon::cpu
