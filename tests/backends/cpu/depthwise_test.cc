#include "backends/cpu/depthwise_conv.h"
#include "base/error.h"
#include "conv_harness.h"

namespace tenon::cpu {
namespace {

/// Every candidate against the naive convolution; all candidates must agree to the bit.
void CheckAllCandidates(const ConvCase& c, const CpuFeatures& features) {
  SCOPED_TRACE(Describe(c));
  ConvHarness harness(c);
  ASSERT_EQ(WhyUnsupported(harness.problem(), features), "");
  ASSERT_EQ(WhyNotDepthwise(harness.problem()), "");
  std::vector<std::byte> first;
  for (const ConvTactic& tactic : DepthwiseCandidates(harness.problem(), features, 2)) {
    SCOPED_TRACE(tactic.ToString());
    const auto packed = PackDepthwise(harness.problem(), tactic, features, harness.weights(), harness.bias());
    EXPECT_EQ(UnpackDepthwiseWeights(harness.problem(), tactic, features, packed), harness.weights());
    EXPECT_EQ(UnpackDepthwiseBias(harness.problem(), tactic, features, packed), harness.bias());
    const DepthwiseConv conv(harness.problem(), tactic, features);
    const auto bytes = harness.RunAndCheck(packed, [&](const ConvArgs& args) {
      for (int64_t i = conv.work_items(); i-- > 0;) conv.Run(args, i);
    });
    if (first.empty()) first = bytes;
    EXPECT_TRUE(bytes == first) << "differs from the first candidate";
    if (testing::Test::HasFailure()) return;
  }
}

void CheckEverywhere(ConvCase c) {
  const CpuFeatures all = DetectCpuFeatures();
  c.in = c.out = c.compute = DType::kFloat32;
  CheckAllCandidates(c, Avx2Only());
  if (all.avx512) CheckAllCandidates(c, all);
  if (!all.avx512_bf16) return;
  c.in = c.out = c.compute = DType::kBFloat16;
  if (c.residual != ConvCase::Residual::kNone) c.residual = ConvCase::Residual::kBFloat16;
  CheckAllCandidates(c, all);
}

ConvProblem Depthwise(int channels, int size, int kernel, int stride) {
  return WithPads({.ic = channels,
                   .ih = size,
                   .iw = size,
                   .oc = channels,
                   .kh = kernel,
                   .kw = kernel,
                   .stride_h = stride,
                   .stride_w = stride,
                   .groups = channels},
                  kernel / 2, kernel / 2, kernel / 2, kernel / 2);
}

TEST(DepthwiseTest, KernelsAndStrides) {
  for (const int kernel : {1, 2, 3, 5, 7, 9}) {
    for (const int stride : {1, 2, 3})
      CheckEverywhere({.p = Depthwise(40, 13, kernel, stride), .in_gap = 3, .out_gap = 2});
  }
}

TEST(DepthwiseTest, ChannelTails) {
  for (const int channels : {2, 7, 8, 15, 16, 17, 33, 96, 100})
    CheckEverywhere({.p = Depthwise(channels, 9, 3, 1), .out_gap = 5});
}

TEST(DepthwiseTest, ImagesSmallerThanTheKernel) {
  for (const int size : {1, 2, 3}) CheckEverywhere({.p = Depthwise(20, size, 7, 1)});
}

TEST(DepthwiseTest, PadsDilationBatchResidual) {
  const ConvProblem p{.n = 3,
                      .ic = 21,
                      .ih = 12,
                      .iw = 17,
                      .oc = 21,
                      .kh = 3,
                      .kw = 5,
                      .stride_h = 1,
                      .stride_w = 2,
                      .dilation_h = 2,
                      .dilation_w = 3,
                      .groups = 21};
  ConvCase c{.p = WithPads(p, 1, 5, 3, 0),
             .in_gap = 1,
             .out_gap = 1,
             .residual = ConvCase::Residual::kFloat32,
             .upsample = true};
  c.p.epilogue.activation = {Activation::kSilu};
  c.p.epilogue.post_activation = {Activation::kRelu};
  CheckEverywhere(c);
}

TEST(DepthwiseTest, AllActivations) {
  for (size_t i = 0; i < kActivationNames.size(); ++i) {
    ConvCase c{.p = Depthwise(24, 10, 5, 2)};
    c.p.epilogue.activation = {static_cast<Activation>(i), 0.2f, 0.75f};
    CheckEverywhere(c);
  }
}

TEST(DepthwiseTest, SaysWhatItIsNotFor) {
  ConvCase c{.p = Depthwise(8, 9, 3, 1), .planar_input = true};
  EXPECT_NE(WhyNotDepthwise(ConvHarness(c).problem()), "");
  c.planar_input = false;
  c.p.groups = 4;
  EXPECT_NE(WhyNotDepthwise(ConvHarness(c).problem()), "");
}

}  // namespace
}  // namespace tenon::cpu
