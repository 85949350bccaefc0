#include "backends/cpu/conv_direct.h"
#include "backends/cpu/depthwise_conv.h"
#include "base/error.h"
#include "int8_harness.h"

namespace tenon::cpu {
namespace {

bool UsesBFloat16(const Int8Case& c) {
  return c.out == DType::kBFloat16 || (c.residual && *c.residual == DType::kBFloat16);
}

struct Dense {
  using Convolution = DirectConv;
  static std::vector<ConvTactic> Candidates(const ConvProblem& p, const CpuFeatures& features) {
    return ConvCandidates(p, features, 2);
  }
  static constexpr auto Pack = &PackConv;
  static constexpr auto Weights = &UnpackConvWeights;
  static constexpr auto Bias = &UnpackConvBias;
};

struct Depthwise {
  using Convolution = DepthwiseConv;
  static std::vector<ConvTactic> Candidates(const ConvProblem& p, const CpuFeatures& features) {
    EXPECT_EQ(WhyNotDepthwise(p), "");
    return DepthwiseCandidates(p, features, 2);
  }
  static constexpr auto Pack = &PackDepthwise;
  static constexpr auto Weights = &UnpackDepthwiseWeights;
  static constexpr auto Bias = &UnpackDepthwiseBias;
};

/// Every candidate on every instruction set against exact sums; all must agree to the bit.
template <class Kind = Dense>
void CheckEverywhere(const Int8Case& c) {
  SCOPED_TRACE(Describe(c));
  Int8Harness harness(c);
  const ConvProblem& problem = harness.problem();
  std::vector<std::byte> first;
  for (const CpuFeatures& features : Int8Features()) {
    if (UsesBFloat16(c) && !features.avx512_bf16) continue;
    SCOPED_TRACE(features.ToString());
    ASSERT_EQ(WhyUnsupported(problem, features), "");
    bool forwards = true;
    for (const ConvTactic& tactic : Kind::Candidates(problem, features)) {
      SCOPED_TRACE(tactic.ToString());
      const auto packed = Kind::Pack(problem, tactic, features, harness.weights(), harness.bias(),
                                     harness.weight_scales(), harness.factors());
      EXPECT_EQ(Kind::Weights(problem, tactic, features, packed), harness.weights());
      EXPECT_EQ(Kind::Bias(problem, tactic, features, packed), harness.bias());
      const typename Kind::Convolution conv(problem, tactic, features);
      EXPECT_EQ(conv.packed_bytes(), packed.size());
      const auto bytes = harness.RunAndCheck(packed, [&](const ConvArgs& args) {
        const int64_t items = conv.work_items();
        for (int64_t i = 0; i < items; ++i) conv.Run(args, forwards ? i : items - 1 - i);
      });
      if (first.empty()) first = bytes;
      EXPECT_TRUE(bytes == first) << "differs from the first candidate";
      if (testing::Test::HasFailure()) return;
      forwards = !forwards;
    }
    if (!harness.is_same_everywhere()) first.clear();
  }
}

ConvProblem Square(int ic, int oc, int size, int kernel, int stride = 1, int pad = -1) {
  if (pad < 0) pad = kernel / 2;
  return WithPads(
      {.ic = ic, .ih = size, .iw = size, .oc = oc, .kh = kernel, .kw = kernel, .stride_h = stride, .stride_w = stride},
      pad, pad, pad, pad);
}

TEST(Int8ConvTest, OutputChannelTails) {
  for (const int oc : {1, 3, 8, 16, 17, 31, 32, 47, 64, 80, 85, 96, 101})
    CheckEverywhere({.p = Square(6, oc, 9, 3), .in_gap = 5, .out_gap = 7});
}

TEST(Int8ConvTest, InputChannelTails) {
  for (const int ic : {1, 2, 3, 4, 5, 6, 7, 8, 17, 34, 64}) {
    CheckEverywhere({.p = Square(ic, 20, 7, 3), .out_gap = 1});
    CheckEverywhere({.p = Square(ic, 20, 7, 1), .in_gap = 3});
  }
}

// The pixel behind the one that is read is read along with it, where there is one: buffers end where the image does.
TEST(Int8ConvTest, ThreeChannels) {
  for (const int stride : {1, 2, 3}) {
    for (const int kernel : {1, 2, 3, 6}) {
      for (const int pad : {0, kernel / 2}) {
        for (const int gap : {0, 1}) CheckEverywhere({.p = Square(3, 16, 12, kernel, stride, pad), .in_gap = gap});
      }
    }
  }
  ConvProblem grouped = Square(9, 12, 7, 3);
  grouped.groups = 3;
  CheckEverywhere({.p = grouped});
  CheckEverywhere(
      {.p = WithPads({.ic = 3, .ih = 9, .iw = 9, .oc = 17, .kh = 3, .kw = 3, .dilation_w = 3}, 1, 0, 1, 2)});
}

TEST(Int8ConvTest, ZeroPoints) {
  for (const int input_zero : {0, 1, 128, 255}) {
    for (const int output_zero : {0, 128, 255}) {
      CheckEverywhere({.p = Square(9, 40, 9, 3, 2), .input_zero = input_zero, .output_zero = output_zero, .in_gap = 1});
    }
    CheckEverywhere({.p = Square(7, 20, 5, 5), .input_zero = input_zero});
  }
}

TEST(Int8ConvTest, ExtremeValuesSaturate) {
  for (const int input_zero : {0, 128, 255}) {
    for (const int ic : {64, 515}) {
      CheckEverywhere({.p = Square(ic, 24, 6, 3), .input_zero = input_zero, .values = Int8Case::Values::kExtreme});
    }
  }
}

TEST(Int8ConvTest, StridesPadsDilation) {
  for (const int stride : {1, 2, 3}) {
    for (const int kernel : {1, 2, 3, 5, 7}) CheckEverywhere({.p = Square(4, 24, 13, kernel, stride), .in_gap = 1});
  }
  const ConvProblem p{
      .n = 2, .ic = 5, .ih = 11, .iw = 14, .oc = 18, .kh = 3, .kw = 4, .dilation_h = 2, .dilation_w = 3};
  CheckEverywhere({.p = WithPads(p, 0, 3, 2, 1)});
  ConvProblem strided = p;
  strided.stride_h = 2;
  strided.stride_w = 3;
  CheckEverywhere({.p = WithPads(strided, 4, 5, 1, 2)});
  CheckEverywhere({.p = WithPads({.ic = 3, .ih = 12, .iw = 12, .oc = 17, .kh = 3, .kw = 3}, -2, -1, -3, -2)});
}

TEST(Int8ConvTest, KernelLargerThanImage) {
  CheckEverywhere({.p = Square(3, 17, 2, 7)});
  CheckEverywhere({.p = Square(3, 17, 1, 5)});
  // Rows and columns that see no input at all hold the bias alone.
  CheckEverywhere({.p = WithPads({.ic = 3, .ih = 2, .iw = 2, .oc = 17, .kh = 2, .kw = 2}, 4, 4, 5, 3)});
}

TEST(Int8ConvTest, PointwiseAndGroups) {
  CheckEverywhere({.p = Square(40, 48, 10, 1)});
  for (const int groups : {2, 3, 6}) {
    ConvProblem p = Square(30, 36, 7, 3);
    p.groups = groups;
    p.n = 2;
    CheckEverywhere({.p = p, .residual = DType::kUInt8, .in_gap = 1, .out_gap = 2});
  }
}

TEST(Int8ConvTest, OutputsAndResiduals) {
  for (const DType out : {DType::kUInt8, DType::kFloat32, DType::kBFloat16}) {
    for (const DType residual : {DType::kUInt8, DType::kFloat32, DType::kBFloat16}) {
      for (const int oc : {48, 85}) {
        Int8Case c{.p = Square(8, oc, 9, 3), .out = out, .residual = residual, .in_gap = 3, .out_gap = 1};
        c.p.epilogue.post_activation = {Activation::kRelu};
        CheckEverywhere(c);
        c.p.epilogue.activation = {Activation::kSilu};
        c.p.epilogue.post_activation = {};
        CheckEverywhere(c);
      }
    }
  }
}

TEST(Int8ConvTest, AllActivations) {
  for (size_t i = 0; i < kActivationNames.size(); ++i) {
    const auto kind = static_cast<Activation>(i);
    for (const DType out : {DType::kUInt8, DType::kFloat32}) {
      Int8Case c{.p = Square(16, 37, 12, 3), .out = out};
      c.p.epilogue.activation = {kind, kind == Activation::kClip ? -0.5f : 0.2f, 0.75f};
      CheckEverywhere(c);
    }
  }
}

// Words with either range, and floats where words won't do; tiles of all widths, whose outputs words mix.
TEST(Int8ConvTest, SiluOnEveryGrid) {
  for (const float scale : {0.002f, 0.004f, 0.0122f, 0.02f, 0.0334f, 0.06f, 0.08f}) {
    for (const int zero : {0, 14, 127}) {
      for (const int oc : {16, 37}) {
        Int8Case c{.p = Square(20, oc, 9, 3), .output_zero = zero, .output_scale = scale, .out_gap = oc % 2};
        c.p.epilogue.activation = {Activation::kSilu};
        CheckEverywhere(c);
        c.values = Int8Case::Values::kExtreme;
        CheckEverywhere(c);
      }
    }
  }
}

TEST(Int8ConvTest, SiluOfTilesOfAllWidths) {
  for (const int oc : {1, 15, 16, 17, 32, 48, 50, 64, 80, 96, 100}) {
    for (const int gap : {0, 5}) {
      Int8Case c{.p = Square(8, oc, 12, 1), .output_zero = 12, .out_gap = gap};
      c.p.epilogue.activation = {Activation::kSilu};
      CheckEverywhere(c);
      c.upsample = true;
      CheckEverywhere(c);
    }
  }
}

TEST(Int8ConvTest, UpsampledStore) {
  for (const int oc : {16, 37, 64}) {
    CheckEverywhere({.p = Square(8, oc, 7, 1), .out_gap = 2, .upsample = true});
    CheckEverywhere({.p = Square(8, oc, 7, 1), .out = DType::kFloat32, .out_gap = 2, .upsample = true});
  }
}

TEST(Int8ConvTest, FactorsOfChannels) {
  for (const int oc : {1, 17, 48, 85}) {
    for (const Activation activation :
         {Activation::kNone, Activation::kRelu, Activation::kSilu, Activation::kGeluErf}) {
      Int8Case c{.p = Square(9, oc, 9, 3), .in_gap = 2, .out_gap = 1, .factors = true};
      c.p.epilogue.activation = {activation};
      CheckEverywhere(c);
      c.residual = DType::kUInt8;
      c.upsample = true;
      CheckEverywhere(c);
      c.p.epilogue.activation = {};
      c.p.epilogue.post_activation = {activation};
      CheckEverywhere(c);
    }
  }
  ConvProblem grouped = Square(9, 12, 7, 3);
  grouped.groups = 3;
  CheckEverywhere({.p = grouped, .factors = true});
}

TEST(Int8ConvTest, RandomProblems) {
  std::mt19937 random(7);
  const auto pick = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  for (int i = 0; i < 40; ++i) {
    ConvProblem p{.n = pick(1, 2), .ih = pick(1, 16), .iw = pick(1, 40), .kh = pick(1, 5), .kw = pick(1, 5)};
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
    Int8Case c{.p = WithPads(p, top, left, bottom, right),
               .input_zero = pick(0, 255),
               .output_zero = pick(0, 255),
               .in_gap = pick(0, 4),
               .out_gap = pick(0, 4)};
    if (pick(0, 2) == 0) c.residual = DType::kUInt8;
    c.p.epilogue.activation = {pick(0, 1) == 0 ? Activation::kSilu : Activation::kNone};
    c.upsample = pick(0, 4) == 0;
    CheckEverywhere(c);
    if (HasFailure()) return;
  }
}

ConvProblem DepthwiseSquare(int channels, int size, int kernel, int stride) {
  ConvProblem p = Square(channels, channels, size, kernel, stride);
  p.groups = channels;
  return p;
}

TEST(Int8DepthwiseTest, KernelsAndStrides) {
  for (const int kernel : {1, 2, 3, 5, 7}) {
    for (const int stride : {1, 2, 3})
      CheckEverywhere<Depthwise>({.p = DepthwiseSquare(40, 13, kernel, stride), .in_gap = 3, .out_gap = 2});
  }
}

TEST(Int8DepthwiseTest, ChannelTailsAndZeroPoints) {
  for (const int channels : {2, 7, 8, 15, 16, 17, 33, 96, 100}) {
    for (const int zero : {0, 128, 255})
      CheckEverywhere<Depthwise>({.p = DepthwiseSquare(channels, 9, 3, 1), .input_zero = zero, .out_gap = 5});
  }
}

TEST(Int8DepthwiseTest, TypesPadsExtremes) {
  for (const DType out : {DType::kUInt8, DType::kFloat32, DType::kBFloat16}) {
    Int8Case c{.p = DepthwiseSquare(21, 12, 5, 2), .out = out, .residual = DType::kUInt8, .in_gap = 1};
    c.p.epilogue.activation = {Activation::kSilu};
    c.upsample = true;
    CheckEverywhere<Depthwise>(c);
    c.values = Int8Case::Values::kExtreme;
    c.p.epilogue.activation = {};
    CheckEverywhere<Depthwise>(c);
  }
  for (const int size : {1, 2, 3}) CheckEverywhere<Depthwise>({.p = DepthwiseSquare(20, size, 7, 1)});
}

TEST(Int8DepthwiseTest, FactorsOfChannels) {
  for (const int channels : {7, 16, 33, 100}) {
    for (const int kernel : {3, 9}) {  // dots, and sums in floats
      Int8Case c{.p = DepthwiseSquare(channels, 11, kernel, 1), .out_gap = 3, .factors = true};
      CheckEverywhere<Depthwise>(c);
      c.p.epilogue.activation = {Activation::kSilu};
      CheckEverywhere<Depthwise>(c);
      c.values = Int8Case::Values::kExtreme;
      CheckEverywhere<Depthwise>(c);
    }
  }
}

// Dots take kernels of up to 8 rows; taller ones and those of machines without dots sum in floats.
TEST(Int8DepthwiseTest, TallAndDilatedKernels) {
  for (const int kernel : {4, 6, 8, 9, 11}) {
    for (const int channels : {13, 32}) {
      Int8Case c{.p = DepthwiseSquare(channels, 12, kernel, 1), .in_gap = 1};
      c.p.epilogue.activation = {Activation::kSilu};
      CheckEverywhere<Depthwise>(c);
    }
  }
  ConvProblem p{
      .ic = 21, .ih = 10, .iw = 13, .oc = 21, .kh = 3, .kw = 5, .stride_w = 2, .dilation_h = 3, .dilation_w = 2};
  p.groups = 21;
  CheckEverywhere<Depthwise>({.p = WithPads(p, 4, 3, 2, 5), .in_gap = 2});
}

TEST(Int8DepthwiseTest, RefusesSumsThatFloatsRound) {
  ConvProblem p = Int8Harness({.p = DepthwiseSquare(8, 40, 23, 1)}).problem();
  EXPECT_NE(WhyNotDepthwise(p), "");
}

TEST(Int8ConvTest, RefusesWithAReason) {
  const CpuFeatures features = DetectCpuFeatures();
  ConvProblem p = Int8Harness({.p = Square(8, 16, 5, 3)}).problem();
  EXPECT_EQ(WhyUnsupported(p, features), "");
  ConvProblem planar = p;
  planar.input.c_stride = 25;
  EXPECT_NE(WhyUnsupported(planar, features), "");
  ConvProblem zero = p;
  zero.quantization.x.zero_point = 256;
  EXPECT_NE(WhyUnsupported(zero, features), "");
  ConvProblem scale = p;
  scale.quantization.y.scale = 0;
  EXPECT_NE(WhyUnsupported(scale, features), "");
  ConvProblem factors = p;
  factors.epilogue.has_factors = true;
  EXPECT_EQ(WhyUnsupported(factors, features), "");
  factors.output.dtype = DType::kFloat32;
  EXPECT_NE(WhyUnsupported(factors, features), "");
  ConvProblem deep = p;
  deep.ic = 70000;
  EXPECT_NE(WhyUnsupported(deep, features), "");
  ConvProblem floats = p;
  floats.compute = DType::kFloat32;
  EXPECT_NE(WhyUnsupported(floats, features), "");
}

TEST(Int8ConvTest, WrongConstantsAreErrors) {
  const CpuFeatures features = DetectCpuFeatures();
  Int8Harness harness({.p = Square(8, 16, 5, 3)});
  const ConvTactic tactic{.vectors = 1, .pixels = 4};
  EXPECT_THROW(PackConv(harness.problem(), tactic, features, harness.weights(), harness.bias()), Error);
  EXPECT_THROW(PackConv(harness.problem(), tactic, features, harness.weights(), harness.bias(), harness.weight_scales(),
                        std::vector<float>(16, 1.0f)),
               Error);
  for (const float wrong : {128.0f, -129.0f, 0.5f, NAN}) {
    auto weights = harness.weights();
    weights[3] = wrong;
    EXPECT_THROW(PackConv(harness.problem(), tactic, features, weights, harness.bias(), harness.weight_scales()),
                 Error);
  }
}

}  // namespace
}  // namespace tenon::cpu
