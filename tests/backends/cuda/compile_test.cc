// What CI can know of the kernels without a GPU: NVRTC compiles them for every GPU that Tenon supports, without local
// memory (spilled registers, run-time indices).
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "backends/cuda/conv_source.h"
#include "backends/cuda/image_placer.h"
#include "backends/cuda/nvrtc.h"
#include "base/error.h"

namespace tenon::cuda {
namespace {

const Nvrtc* FindNvrtc() {
  try {
    return &Nvrtc::Get();
  } catch (const Error&) {
    return nullptr;
  }
}

struct Sample {
  DType compute;
  const char* tactic;
  int groups = 1, ic = 32, stride = 1;
};

/// One tactic of each kernel and element type; tiles large enough to press registers.
constexpr Sample kSamples[] = {{DType::kFloat16, "gemm 64x64x128 w2x2x2 s3"},
                               {DType::kBFloat16, "patch 64x32 t8x8 w2x1x4"},
                               {DType::kInt8, "gemm 64x32x64 w2x2x1 s3"},
                               {DType::kFloat32, "gemm 64x32x64 w2x2x1 s3"},
                               {DType::kFloat16, "wgmma 128x128 c2 s3 w3 g132x1"},
                               {DType::kBFloat16, "wgmma 192x48 c3 s2 w0 g132x1"},
                               {DType::kInt8, "wgmma 128x32 c2 s2 w0 g264x2", 1, 32, 2},
                               {DType::kFloat16, "image t4x64 n32", 1, 3, 2},
                               {DType::kFloat16, "depthwise p4", 32}};

View ChannelsLast(DType dtype, int size, int channels) {
  const int64_t pixel = channels * SizeOf(dtype), row = size * pixel;
  return {.dtype = dtype, .n_stride = size * row, .h_stride = row, .w_stride = pixel, .c_stride = SizeOf(dtype)};
}

ConvProblem ProblemOf(const Sample& sample) {
  const DType stored = sample.compute == DType::kInt8 ? DType::kUInt8 : sample.compute;
  const int size = 20 / sample.stride;
  return {.ic = sample.ic,
          .ih = 20,
          .iw = 20,
          .oc = 32,
          .oh = size,
          .ow = size,
          .kh = 3,
          .kw = 3,
          .stride_h = sample.stride,
          .stride_w = sample.stride,
          .pad_top = 1,
          .pad_left = 1,
          .groups = sample.groups,
          .compute = sample.compute,
          .input = ChannelsLast(stored, 20, sample.ic),
          .targets = {{ChannelsLast(stored, size, 32), 1}},
          .residual = ChannelsLast(stored, size, 32),
          .activation = {Activation::kSilu}};
}

/// The least shared memory of all, Turing's; wgmma is of one GPU, with its own.
DeviceLimits LimitsOf(const ConvTactic& tactic, int capability) {
  if (tactic.kernel == ConvKernel::kWgmma) return {capability, 132, 227 << 10, 228 << 10};
  return {capability, 16, 64 << 10, 64 << 10};
}

class CudaCompile : public testing::TestWithParam<int> {};

TEST_P(CudaCompile, EveryKernelWithoutLocalMemory) {
  const Nvrtc* nvrtc = FindNvrtc();
  if (nvrtc == nullptr) GTEST_SKIP() << "NVRTC is not on this machine";
  const std::vector<int> known = nvrtc->Capabilities();
  if (std::find(known.begin(), known.end(), GetParam()) == known.end())
    GTEST_SKIP() << "this NVRTC does not compile for " << ArchitectureOf(GetParam());
  for (const Sample& sample : kSamples) {
    const ConvProblem problem = ProblemOf(sample);
    const ConvTactic tactic = ConvTactic::Parse(sample.tactic);
    if (!WhyUnsupported(problem, GetParam()).empty()) {
      EXPECT_EQ(GetParam(), 75) << WhyUnsupported(problem, GetParam());
      continue;
    }
    const std::string why = WhyUnfit(problem, tactic, LimitsOf(tactic, GetParam()));
    if (tactic.kernel == ConvKernel::kWgmma && GetParam() != 90) {
      EXPECT_EQ(why, "wgmma, which compute capability 9.0 alone has") << sample.tactic;
      continue;
    }
    EXPECT_EQ(why, "") << sample.tactic;
    const Cubin cubin = nvrtc->Compile(MakeConvSource(problem, tactic), {.capability = GetParam()});
    EXPECT_GT(cubin.code.size(), 1000u);
    EXPECT_THAT(cubin.log, testing::HasSubstr("0 bytes stack frame, 0 bytes spill stores")) << sample.tactic;
    EXPECT_THAT(cubin.log, testing::Not(testing::HasSubstr("serialized"))) << sample.tactic;  // wgmma, one by one
  }
}

TEST_P(CudaCompile, TheLetterboxWithoutLocalMemory) {
  const Nvrtc* nvrtc = FindNvrtc();
  if (nvrtc == nullptr) GTEST_SKIP() << "NVRTC is not on this machine";
  const std::vector<int> known = nvrtc->Capabilities();
  if (std::find(known.begin(), known.end(), GetParam()) == known.end())
    GTEST_SKIP() << "this NVRTC does not compile for " << ArchitectureOf(GetParam());
  const Cubin cubin = nvrtc->Compile(LetterboxSource(), {.capability = GetParam()});
  EXPECT_GT(cubin.code.size(), 1000u);
  EXPECT_THAT(cubin.log, testing::HasSubstr("0 bytes stack frame, 0 bytes spill stores"));
}

TEST(CudaCompileCache, GivesTheSameAndSurvivesDamage) {
  const Nvrtc* nvrtc = FindNvrtc();
  if (nvrtc == nullptr) GTEST_SKIP() << "NVRTC is not on this machine";
  const std::string folder = testing::TempDir() + "/tenon_cubins";
  std::filesystem::remove_all(folder);
  const KernelSource source{.entry = "k", .text = "extern \"C\" __global__ void k(int* p) { *p = 1; }"};
  const CompileOptions options{.capability = 80, .cache_folder = folder};
  const Cubin first = nvrtc->Compile(source, options);
  const std::string path = folder + "/" + CacheKey(source, 80, nvrtc->version()) + ".cubin";
  ASSERT_TRUE(std::filesystem::is_regular_file(path));
  const Cubin second = nvrtc->Compile(source, options);
  EXPECT_EQ(second.code, first.code);
  EXPECT_EQ(second.log, first.log);
  std::filesystem::resize_file(path, 20);
  EXPECT_EQ(nvrtc->Compile(source, options).code, first.code);
  EXPECT_GT(std::filesystem::file_size(path), first.code.size());  // written again
  std::filesystem::remove_all(folder);
}

INSTANTIATE_TEST_SUITE_P(Gpus, CudaCompile, testing::Values(75, 80, 86, 87, 89, 90, 100, 120),
                         [](const auto& gpu) { return fmt::format("sm_{}", gpu.param); });

}  // namespace
}  // namespace tenon::cuda
