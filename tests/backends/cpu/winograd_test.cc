#include "backends/cpu/winograd_choice.h"
#include "backends/cpu/winograd_conv.h"
#include "base/error.h"
#include "int8_harness.h"

namespace tenon::cpu {
namespace {

/// In FP32 some roundings of 2^-24 each, times what the matrices of F(4x4) make of them. In BF16 weights, inputs and
/// outputs are rounded by 2^-9: 2^-8.2 together for F(2x2), three times that for F(4x4) (prototype and WinogradError).
double AllowedRms(const ConvCase& c, WinogradForm form) {
  const bool is_f2 = form == WinogradForm::kF2;
  const double stored = c.out == DType::kBFloat16 ? 0.003 : 0;
  const bool is_half = c.in == DType::kBFloat16 && c.compute == DType::kBFloat16;
  if (!is_half) return (is_f2 ? 1e-6 : 3e-6) + stored;
  return (is_f2 ? 0.006 : 0.018) + stored;
}

/// Every candidate against the naive convolution of the harness; all candidates must agree to the bit.
template <class Harness>
void CheckCandidates(Harness& harness, WinogradForm form, const CpuFeatures& features,
                     const std::vector<float>& weight_scales = {}) {
  const ConvProblem& problem = harness.problem();
  ASSERT_EQ(WhyNotWinograd(problem, form, features), "");
  const auto packed = PackWinograd(problem, features, harness.weights(), harness.bias(), weight_scales);
  EXPECT_EQ(UnpackWinogradWeights(problem, features, packed), harness.weights());
  EXPECT_EQ(UnpackWinogradBias(problem, features, packed), harness.bias());
  const AlignedBuffer expanded = ExpandWinograd(problem, form, features, packed);
  const std::vector<std::byte> read(expanded.data(), expanded.data() + expanded.size_bytes());
  std::vector<std::byte> first;
  int index = 0;
  for (const WinogradTactic& tactic : WinogradCandidates(problem, form, features, 2)) {
    SCOPED_TRACE(tactic.ToString());
    EXPECT_EQ(WinogradTactic::Parse(tactic.ToString()), tactic);
    const WinogradConv conv(problem, form, tactic, features);
    EXPECT_EQ(conv.packed_bytes(), packed.size());
    const auto bytes = harness.RunAndCheck(read, [&](const ConvArgs& args) {
      const int64_t items = conv.work_items();
      GuardedBuffer scratch(static_cast<int64_t>(conv.scratch_bytes()), 0xff);
      for (int64_t i = 0; i < items; ++i) conv.Run(args, index % 2 == 0 ? i : items - 1 - i, scratch.data());
    });
    if (index++ == 0) first = bytes;
    EXPECT_TRUE(bytes == first) << "differs from the first candidate";
    if (testing::Test::HasFailure()) return;
  }
}

void CheckAllCandidates(ConvCase c, WinogradForm form, const CpuFeatures& features) {
  c.relative_rms = AllowedRms(c, form);
  SCOPED_TRACE(fmt::format("F({}) {}", WinogradOutputs(form), Describe(c)));
  ConvHarness harness(c);
  CheckCandidates(harness, form, features);
}

/// All forms in FP32 with AVX2, and with AVX-512 and in BF16 where this machine has them.
void CheckEverywhere(ConvCase c) {
  const CpuFeatures all = DetectCpuFeatures();
  const std::vector<WinogradForm> forms =
      c.p.stride_h == 1 ? std::vector{WinogradForm::kF2, WinogradForm::kF4} : std::vector{WinogradForm::kF4Stride2};
  for (const WinogradForm form : forms) {
    c.in = c.out = c.compute = DType::kFloat32;
    if (c.residual == ConvCase::Residual::kBFloat16) c.residual = ConvCase::Residual::kFloat32;
    CheckAllCandidates(c, form, Avx2Only());
    if (all.avx512) CheckAllCandidates(c, form, all);
    if (!all.avx512_bf16) continue;
    c.in = c.out = c.compute = DType::kBFloat16;
    if (c.residual == ConvCase::Residual::kFloat32) c.residual = ConvCase::Residual::kBFloat16;
    CheckAllCandidates(c, form, all);
    c.out = DType::kFloat32;
    CheckAllCandidates(c, form, all);
    c.compute = DType::kFloat32;  // BF16 inputs, FP32 weights and products
    CheckAllCandidates(c, form, all);
  }
}

ConvProblem Square(int ic, int oc, int size, int stride = 1) {
  return WithPads(
      {.ic = ic, .ih = size, .iw = size, .oc = oc, .kh = 3, .kw = 3, .stride_h = stride, .stride_w = stride}, 1, 1, 1,
      1);
}

TEST(WinogradTest, WholeAndRaggedTiles) {
  for (const int size : {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 20}) CheckEverywhere({.p = Square(16, 16, size)});
}

TEST(WinogradTest, OutputChannelTails) {
  for (const int oc : {1, 3, 8, 17, 31, 32, 64, 80, 85})
    CheckEverywhere({.p = Square(6, oc, 9), .in_gap = 5, .out_gap = 7});
}

TEST(WinogradTest, InputChannelTails) {
  for (const int ic : {1, 2, 3, 5, 15, 16, 33, 64})
    CheckEverywhere({.p = Square(ic, 20, 7), .in_gap = 3, .out_gap = 1});
}

TEST(WinogradTest, BatchesCutAcrossImages) {
  ConvProblem p = Square(8, 24, 9);
  p.n = 5;
  CheckEverywhere({.p = p, .in_gap = 2, .out_gap = 2});
}

TEST(WinogradTest, AsymmetricPadsAndCrops) {
  const ConvProblem p{.n = 2, .ic = 5, .ih = 11, .iw = 14, .oc = 18, .kh = 3, .kw = 3};
  CheckEverywhere({.p = WithPads(p, 0, 0, 0, 0)});
  CheckEverywhere({.p = WithPads(p, 0, 2, 2, 1)});
  CheckEverywhere({.p = WithPads(p, 4, 5, 6, 7)});
  CheckEverywhere({.p = WithPads(p, -2, -1, -1, -3)});
}

TEST(WinogradTest, ThinImages) {
  CheckEverywhere({.p = WithPads({.ic = 8, .ih = 30, .iw = 1, .oc = 32, .kh = 3, .kw = 3}, 1, 1, 1, 1)});
  CheckEverywhere({.p = WithPads({.ic = 8, .ih = 1, .iw = 57, .oc = 32, .kh = 3, .kw = 3}, 1, 1, 1, 1)});
}

TEST(WinogradTest, ResidualActivationsAndUpsample) {
  for (const bool upsample : {false, true}) {
    ConvCase c{.p = Square(8, 40, 10),
               .in_gap = 3,
               .out_gap = 1,
               .residual = ConvCase::Residual::kFloat32,
               .upsample = upsample};
    c.p.epilogue.activation = {Activation::kSilu};
    CheckEverywhere(c);
    c.p.epilogue.activation = {};
    c.p.epilogue.post_activation = {Activation::kRelu};
    CheckEverywhere(c);
  }
}

TEST(WinogradTest, Stride2) {
  for (const int size : {1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 20, 33}) CheckEverywhere({.p = Square(16, 16, size, 2)});
  for (const int channels : {1, 3, 17, 40, 64})
    CheckEverywhere({.p = Square(channels, channels + 1, 13, 2), .in_gap = 3, .out_gap = 5});
  ConvProblem p{.n = 3, .ic = 8, .ih = 18, .iw = 23, .oc = 24, .kh = 3, .kw = 3, .stride_h = 2, .stride_w = 2};
  for (const auto residual : {ConvCase::Residual::kNone, ConvCase::Residual::kFloat32}) {
    p.epilogue.activation = {Activation::kSilu};
    CheckEverywhere({.p = WithPads(p, 0, 1, 2, 3), .residual = residual, .upsample = true});
    CheckEverywhere({.p = WithPads(p, 1, 1, 1, 1), .in_gap = 1, .residual = residual});
  }
}

/// INT8 on every instruction set. Weights of 8 bits, transformed and rounded to the 16 bits and fewer that sums leave
/// them: prototype figures are 0.0017 at 64 channels and in proportion to them.
void CheckInt8(Int8Case c, bool is_wide = true) {
  if (c.relative_rms == 0) c.relative_rms = 0.001 + 0.00005 * c.p.ic;
  SCOPED_TRACE(Describe(c));
  Int8Harness harness(c);
  for (const CpuFeatures& features : Int8Features()) {
    if (!is_wide && BestIsa(features) == Isa::kAvx2) continue;
    SCOPED_TRACE(features.ToString());
    CheckCandidates(harness, WinogradForm::kF4Words, features, harness.weight_scales());
  }
}

TEST(WinogradTest, Int8WholeAndRaggedTiles) {
  for (const int size : {1, 2, 3, 4, 5, 7, 8, 9, 13, 20}) {
    for (const DType out : {DType::kUInt8, DType::kFloat32}) CheckInt8({.p = Square(16, 16, size), .out = out});
  }
}

TEST(WinogradTest, Int8ChannelTails) {
  for (const int oc : {1, 3, 17, 31, 32, 64, 80, 85}) CheckInt8({.p = Square(32, oc, 9), .in_gap = 5, .out_gap = 7});
  for (const int ic : {1, 2, 3, 5, 15, 33, 64})
    CheckInt8({.p = Square(ic, 20, 7), .out = DType::kFloat32, .in_gap = 3}, ic % 16 == 0);
}

TEST(WinogradTest, Int8ZeroPointsPadsAndBatches) {
  for (const int zero : {0, 20, 128, 255}) {
    ConvProblem p{.n = 3, .ic = 16, .ih = 11, .iw = 14, .oc = 18, .kh = 3, .kw = 3};
    CheckInt8({.p = WithPads(p, 0, 2, 4, 1), .out = DType::kFloat32, .input_zero = zero});
    CheckInt8({.p = WithPads(p, 1, 1, 1, 1), .input_zero = zero});
  }
}

TEST(WinogradTest, Int8Epilogues) {
  for (const bool upsample : {false, true}) {
    Int8Case c{.p = Square(16, 40, 10), .in_gap = 3, .out_gap = 1, .upsample = upsample};
    c.p.epilogue.activation = {Activation::kSilu};
    CheckInt8(c);
    c.residual = DType::kUInt8;
    CheckInt8(c);
    c.p.epilogue.activation = {};
    c.p.epilogue.post_activation = {Activation::kRelu};
    CheckInt8(c);
  }
}

TEST(WinogradTest, Int8SumsNeverOverflow) {
  // Inputs and weights at the ends of their types: a sum that wrapped round would be off by its whole range, several
  // times what is left where such inputs cancel.
  for (const int zero : {0, 128, 255})
    CheckInt8({.p = Square(512, 16, 9),
               .out = DType::kFloat32,
               .input_zero = zero,
               .values = Int8Case::Values::kExtreme,
               .relative_rms = 0.15});
}

TEST(WinogradTest, TheSameBitsInEveryPlaceOfABatch) {
  const CpuFeatures features = DetectCpuFeatures();
  for (const WinogradForm form : {WinogradForm::kF2, WinogradForm::kF4}) {
    ConvProblem p = Square(16, 32, 10);
    p.n = 3;
    const View view{.n_stride = 0, .h_stride = 640, .w_stride = 64, .c_stride = 4};  // all images are the same one
    p.input = view;
    const View out{.n_stride = 12800, .h_stride = 1280, .w_stride = 128, .c_stride = 4};
    p.output = out;
    const WinogradTactic tactic{.vectors = 1, .pixels = 5, .tiles = 7};
    std::mt19937 random(7);
    std::uniform_real_distribution<float> uniform(-1, 1);
    std::vector<float> weights(32 * 16 * 9), image(1600), result(9600);
    for (auto* values : {&weights, &image})
      for (float& x : *values) x = uniform(random);
    const auto packed = PackWinograd(p, features, weights, {});
    const WinogradConv conv(p, form, tactic, features);
    const AlignedBuffer expanded = ExpandWinograd(p, form, features, packed);
    std::vector<std::byte> scratch(conv.scratch_bytes() + 64);
    const ConvArgs args{.input = reinterpret_cast<const std::byte*>(image.data()),
                        .packed = expanded.data(),
                        .outputs = {reinterpret_cast<std::byte*>(result.data())}};
    for (int64_t i = 0; i < conv.work_items(); ++i) conv.Run(args, i, scratch.data());
    for (const int n : {1, 2})
      EXPECT_TRUE(std::equal(result.begin(), result.begin() + 3200, result.begin() + n * 3200)) << "image " << n;
  }
}

TEST(WinogradTest, RefusesWhatItCannotCompute) {
  const CpuFeatures features = DetectCpuFeatures();
  const auto why_not = [&](const std::function<void(ConvProblem&)>& change) {
    ConvProblem p = Square(16, 16, 8);
    p.input = p.output = {.n_stride = 4096, .h_stride = 512, .w_stride = 64, .c_stride = 4};
    change(p);
    return WhyNotWinograd(p, WinogradForm::kF4, features);
  };
  EXPECT_EQ(why_not([](ConvProblem&) {}), "");
  EXPECT_NE(why_not([](ConvProblem& p) { p.stride_w = 2; }), "");
  EXPECT_NE(why_not([](ConvProblem& p) { p.dilation_h = 2; }), "");
  EXPECT_NE(why_not([](ConvProblem& p) { p.groups = 2; }), "");
  EXPECT_NE(why_not([](ConvProblem& p) { p.kw = 1; }), "");
  EXPECT_NE(why_not([](ConvProblem& p) { p.input.c_stride = 256; }), "");
}

TEST(WinogradTest, ParsesOnlyItsOwnTexts) {
  EXPECT_EQ(WinogradTactic::Parse("v4 p6 t24 s2"), (WinogradTactic{4, 6, 24, 2}));
  for (const char* text : {"", "v4", "v4 p6 t24", "v4 p6 t24 s0", "v4 p6 t24 s1 ", "v04 p6 t24 s1", "v4 p5 rb4 oc"})
    EXPECT_THROW(WinogradTactic::Parse(text), Error) << text;
}

TEST(WinogradTest, MatricesComputeTheConvolutionExactly) {
  // G and A^T, B^T as tests and estimates know them against the ones that are generated.
  for (const WinogradForm form :
       {WinogradForm::kF2, WinogradForm::kF4, WinogradForm::kF4Words, WinogradForm::kF4Stride2}) {
    const WinogradMatrices m = MatricesOfWinograd(form);
    const int size = WinogradInputs(form), outputs = WinogradOutputs(form);
    const double gain = std::sqrt(WinogradGain(form));  // rows alone
    for (int tap = 0; tap < kWinogradKernel; ++tap) {
      for (int i = 0; i < size; ++i) {
        for (int y = 0; y < outputs; ++y) {
          double sum = 0;  // one input pixel is 1, one weight is 1
          for (int point = 0; point < size; ++point)
            sum += m.a_transposed[y * size + point] * m.g[point * kWinogradKernel + tap] *
                   m.b_transposed[point * size + i];
          EXPECT_NEAR(sum, i == y * WinogradStride(form) + tap ? gain : 0, 1e-12)
              << outputs << " tap " << tap << " input " << i << " output " << y;
        }
      }
    }
  }
}

TEST(WinogradTest, PreferenceIsBlindToBatchAndFollowsTheWork) {
  const CpuFeatures features = DetectCpuFeatures();
  const auto preferred = [&](ConvProblem p) {
    p.input = p.output = {.n_stride = 1 << 20, .h_stride = 40 * 256, .w_stride = 256, .c_stride = 4};
    const std::vector<float> weights(static_cast<size_t>(p.WeightCount()), 0.1f);
    return std::pair(PrefersWinograd(p, WinogradForm::kF2, features, weights),
                     PrefersWinograd(p, WinogradForm::kF4, features, weights));
  };
  ConvProblem large = Square(64, 64, 40);
  EXPECT_EQ(preferred(large), std::pair(false, true));
  large.n = 32;
  EXPECT_EQ(preferred(large), std::pair(false, true));
  EXPECT_EQ(preferred(Square(3, 16, 40)), std::pair(false, false)) << "transforms cost more than they save";
}

TEST(WinogradTest, ErrorsAreWhatTheLiteratureAndThePrototypeSay) {
  const ConvProblem p = Square(64, 64, 40);
  std::vector<float> weights(static_cast<size_t>(p.WeightCount()));
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (float& w : weights) w = normal(random);
  EXPECT_NEAR(WinogradError(p, WinogradForm::kF2, weights), 0.0035, 0.001);
  EXPECT_NEAR(WinogradError(p, WinogradForm::kF4, weights), 0.010, 0.003);
  EXPECT_NEAR(WinogradError(p, WinogradForm::kF4Stride2, weights), 0.006, 0.002);
}

}  // namespace
}  // namespace tenon::cpu
