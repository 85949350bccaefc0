#include "backends/cuda/conv_tactic.h"

#include <gtest/gtest.h>

#include <cstring>

#include "backends/cuda/conv_layout.h"
#include "backends/cuda/conv_source.h"
#include "base/error.h"

namespace tenon::cuda {
namespace {

constexpr DeviceLimits kH200{90, 132, 232448, 233472};

View ChannelsLast(DType dtype, int64_t h, int64_t w, int64_t channels) {
  const int64_t pixel = channels * SizeOf(dtype);
  return {
      .dtype = dtype, .n_stride = pixel * w * h, .h_stride = pixel * w, .w_stride = pixel, .c_stride = SizeOf(dtype)};
}

ConvProblem Conv3x3(int ic, int oc, int size, DType compute) {
  const DType stored = compute == DType::kInt8 ? DType::kUInt8 : compute;
  return {.n = 1,
          .ic = ic,
          .ih = size,
          .iw = size,
          .oc = oc,
          .oh = size,
          .ow = size,
          .kh = 3,
          .kw = 3,
          .pad_top = 1,
          .pad_left = 1,
          .compute = compute,
          .input = ChannelsLast(stored, size, size, ic),
          .targets = {{ChannelsLast(stored, size, size, oc), 1}}};
}

TEST(CudaConvTactic, TextsComeBackTheSame) {
  for (const DType compute : {DType::kFloat16, DType::kFloat32, DType::kInt8}) {
    const ConvProblem problem = Conv3x3(64, 64, 20, compute);
    const std::vector<ConvTactic> candidates = ConvCandidates(problem, kH200);
    ASSERT_FALSE(candidates.empty());
    for (const ConvTactic& tactic : candidates)
      EXPECT_EQ(ConvTactic::Parse(tactic.ToString()).ToString(), tactic.ToString());
  }
  EXPECT_THROW(ConvTactic::Parse("gemm 64x32"), Error);
  EXPECT_THROW(ConvTactic::Parse("gemm 64x32x128 w2x2x1 s4 "), Error);
  EXPECT_THROW(ConvTactic::Parse(""), Error);
}

TEST(CudaConvTactic, CandidatesFitTheGpu) {
  const DeviceLimits turing{75, 68, 65536, 65536};
  for (const DeviceLimits& limits : {kH200, turing})
    for (const ConvTactic& tactic : ConvCandidates(Conv3x3(256, 256, 20, DType::kFloat16), limits)) {
      EXPECT_EQ(WhyUnfit(Conv3x3(256, 256, 20, DType::kFloat16), tactic, limits), "");
      EXPECT_LE(LaunchShapeOf(Conv3x3(256, 256, 20, DType::kFloat16), tactic).shared_bytes,
                limits.shared_bytes_per_block);
    }
}

/// The first convolution of a network, of a planar FP32 image, computed in half.
ConvProblem Stem(int n, int oc) {
  ConvProblem stem = Conv3x3(3, oc, 640, DType::kFloat16);
  stem.n = n;
  stem.stride_h = stem.stride_w = 2;
  stem.oh = stem.ow = 320;
  stem.input = {.dtype = DType::kFloat32, .n_stride = 4915200, .h_stride = 2560, .w_stride = 4, .c_stride = 1638400};
  stem.targets = {{ChannelsLast(DType::kFloat16, 320, 320, oc), 1}};
  return stem;
}

/// Of the few candidates that are timed as many are of the kernel for images as of the one that gathers.
TEST(CudaConvTactic, ImagesTryTheirOwnKernelAndTheGeneralOne) {
  for (const int n : {1, 8, 32})
    for (const int oc : {16, 32, 48, 64, 80}) {
      const std::vector<ConvTactic> candidates = ConvCandidates(Stem(n, oc), kH200);
      ASSERT_GE(candidates.size(), 10u);
      for (size_t i = 0; i < 10; ++i)
        EXPECT_EQ(candidates[i].kernel, i % 2 == 0 ? ConvKernel::kImage : ConvKernel::kGemm)
            << n << ", " << oc << ": " << candidates[i].ToString();
    }
}

TEST(CudaConvTactic, RefusesWithReasons) {
  ConvTactic patch{.kernel = ConvKernel::kPatch, .bm = 64, .bn = 32, .tile_h = 8, .tile_w = 8};
  EXPECT_EQ(WhyUnfit(Conv3x3(64, 64, 20, DType::kFloat32), patch, kH200), "FP32");
  EXPECT_EQ(WhyUnfit(Conv3x3(24, 64, 20, DType::kFloat16), patch, kH200), "channels that are no multiple of 32 bytes");
  const ConvTactic wgmma = ConvTactic::Parse("wgmma 128x64 c2 s3 w4 g132x1");
  EXPECT_EQ(WhyUnfit(Conv3x3(64, 64, 20, DType::kFloat16), wgmma, kH200), "");
  EXPECT_EQ(WhyUnfit(Conv3x3(64, 64, 20, DType::kFloat16), wgmma, {80, 108, 166912, 167936}),
            "wgmma, which compute capability 9.0 alone has");
  EXPECT_EQ(WhyUnfit(Conv3x3(20, 64, 20, DType::kFloat16), wgmma, kH200), "an input that is not aligned to 16 bytes");
  EXPECT_EQ(WhyUnfit(Conv3x3(64, 64, 20, DType::kFloat16), ConvTactic::Parse("wgmma 256x128 c2 s3 w4 g132x1"), kH200),
            "more sums than registers");
  EXPECT_EQ(WhyUnfit(Conv3x3(3, 16, 20, DType::kFloat16), ConvTactic::Parse("image t4x64 n16"), kH200),
            "an odd stride");
  EXPECT_EQ(WhyUnsupported(Conv3x3(64, 64, 20, DType::kBFloat16), 75), "BF16 needs compute capability 8.0");
  EXPECT_EQ(WhyUnsupported(Conv3x3(64, 64, 20, DType::kFloat16), 70), "compute capability below 7.5");
  EXPECT_EQ(WhyUnsupported(Conv3x3(64, 64, 20, DType::kFloat16), 75), "");
}

TEST(CudaConvProblem, DensePointwiseIsOneRow) {
  ConvProblem p = Conv3x3(32, 32, 20, DType::kFloat16);
  EXPECT_EQ(Flatten(p).oh, 20);
  p.kh = p.kw = 1, p.pad_top = p.pad_left = 0, p.n = 3;
  EXPECT_EQ(Flatten(p).ow, 3 * 400);
  p.targets[0].view.h_stride += 64;  // padded rows
  EXPECT_EQ(Flatten(p).ow, 20);
}

TEST(CudaConvProblem, AlignmentComesFromBaseAndStrides) {
  View view = ChannelsLast(DType::kFloat16, 4, 4, 64);
  EXPECT_EQ(view.Alignment(), 16);
  view.base_alignment = 8;
  EXPECT_EQ(view.Alignment(), 8);
  EXPECT_EQ(ChannelsLast(DType::kFloat16, 4, 4, 33).Alignment(), 2);
}

TEST(CudaConvPack, RowsOfTapsAndConstantsBehindThem) {
  ConvProblem p = Conv3x3(20, 2, 4, DType::kInt8);  // 20 bytes a tap: padded to 32
  p.quantization.x = {0.5f, 3};
  std::vector<float> weights(2 * 20 * 9, 0.0f);
  weights[0] = 7;                // channel 0, ic 0, tap 0
  weights[20 * 9 + 9 + 1] = -5;  // channel 1, ic 1, tap 1
  const std::vector<float> bias = {1, 2}, scales = {0.25f, 0.5f};
  const ConvTactic tactic;
  const ConvLayout layout = ConvLayout::Of(p, tactic.kernel);
  EXPECT_EQ(layout.tap_bytes, 32);
  EXPECT_EQ(layout.row_bytes, 9 * 32);
  const std::vector<std::byte> packed = PackConv(p, tactic, {weights, bias, scales});
  EXPECT_EQ(static_cast<int8_t>(packed[0]), 7);
  EXPECT_EQ(static_cast<int8_t>(packed[9 * 32 + 32 + 1]), -5);
  float constants[4];
  int32_t first[2];
  std::memcpy(constants, packed.data() + layout.bias_offset, 16);
  std::memcpy(first, packed.data() + layout.bias_offset + 16, 8);
  EXPECT_EQ(constants[1], 2);
  EXPECT_EQ(constants[3], 0.25f);  // scale of x times scale of the weights
  EXPECT_EQ(first[0], -3 * 7);
  EXPECT_EQ(first[1], 3 * 5);
}

TEST(CudaConvPack, WgmmaReadsEightChannelsOfAColumnInARow) {
  const ConvProblem p = Conv3x3(128, 24, 4, DType::kFloat16);  // 8 steps of 32 bytes: two pieces of 4
  std::vector<float> weights(24 * 128 * 9, 0.0f);
  weights[(17 * 128 + 77) * 9 + 5] = 1;  // channel 17, ic 77, tap 5
  ConvTactic tactic;
  tactic.kernel = ConvKernel::kWgmma;
  const std::vector<std::byte> packed = PackConv(p, tactic, {weights, {}, {}});
  // Byte 154 of the pixel: piece 1, byte 26 of it: column 1, byte 10. Channel 17: the third eight of 4, row 1.
  const size_t place = size_t{((9 + 5) * 4 + 2) * 8 + 1} * 128 + 16 + 10;
  uint16_t bits = 0;
  std::memcpy(&bits, packed.data() + place, 2);
  EXPECT_EQ(bits, 0x3c00);
}

}  // namespace
}  // namespace tenon::cuda
