#include "backends/cuda/driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backends/cuda/nvrtc.h"
#include "base/error.h"

namespace tenon::cuda {
namespace {

using testing::HasSubstr;

template <class Function>
std::string MessageOf(Function function, ErrorCode code) {
  try {
    function();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    return error.what();
  }
  return "no error";
}

TEST(Driver, SaysWhatToDoWhereThereIsNone) {
  const std::string message = MessageOf([] { Driver({"libcuda-not-there.so"}); }, ErrorCode::kUnsupportedDevice);
  EXPECT_THAT(message, HasSubstr("no GPU driver on this machine (libcuda-not-there.so"));
  EXPECT_THAT(message, HasSubstr("Install NVIDIA's driver (CUDA 12.0 or newer), or use --device cpu"));
}

TEST(Driver, SaysWhichFunctionAnOldOneLacks) {
  // A library that opens and is no driver stands for one that is too old.
  const std::string message = MessageOf([] { Driver({"libm.so.6"}); }, ErrorCode::kUnsupportedDevice);
  EXPECT_THAT(message, HasSubstr("the GPU driver is too old (libm.so.6 has no cu"));
  EXPECT_THAT(message, HasSubstr("expected CUDA 12.0 or newer"));
}

TEST(Driver, VersionsAsText) {
  EXPECT_EQ(VersionText(12040), "12.4");
  EXPECT_EQ(VersionText(13000), "13.0");
}

TEST(Driver, TakesMemoryInBlocks) {
  constexpr size_t kKib = 1 << 10, kMib = 1 << 20;
  const auto taken = [](std::vector<size_t> sizes) { return static_cast<size_t>(TakenBytes(sizes)); };
  EXPECT_EQ(taken({}), 0u);
  EXPECT_EQ(taken({100 * kKib}), 100 * kKib);
  EXPECT_EQ(taken({kMib, kMib}), 2 * kMib);  // as 16 of a MiB take 16 MiB on an H200, and 16 of 3 MiB 64 MiB
  EXPECT_EQ(taken({kMib + 1, kMib + 1}), 4 * kMib);
  EXPECT_EQ(taken(std::vector<size_t>(16, 3 * kMib)), 64 * kMib);
  EXPECT_EQ(taken({10 * kMib, 4 * kKib}), 10 * kMib + 4 * kKib);
}

TEST(Nvrtc, SaysThatOnlyBuildsNeedIt) {
  const std::string message = MessageOf([] { Nvrtc({"libnvrtc-not-there.so"}); }, ErrorCode::kUnsupportedDevice);
  EXPECT_THAT(message, HasSubstr("NVRTC, CUDA's run-time compiler, is not on this machine"));
  EXPECT_THAT(message, HasSubstr("running an engine needs the driver alone"));
}

TEST(Nvrtc, ArchitecturesOfTheExactGpu) {
  EXPECT_EQ(ArchitectureOf(75), "sm_75");
  EXPECT_EQ(ArchitectureOf(89), "sm_89");
  EXPECT_EQ(ArchitectureOf(90), "sm_90a");
  EXPECT_EQ(ArchitectureOf(120), "sm_120a");
}

TEST(Nvrtc, CacheKeysDifferByTextGpuAndCompiler) {
  const KernelSource source{.entry = "k", .text = "a"}, other{.entry = "k", .text = "b"};
  const std::string key = CacheKey(source, 90, 13000);
  EXPECT_EQ(key, CacheKey(source, 90, 13000));
  EXPECT_NE(key, CacheKey(other, 90, 13000));
  EXPECT_NE(key, CacheKey(source, 80, 13000));
  EXPECT_NE(key, CacheKey(source, 90, 12080));
}

}  // namespace
}  // namespace tenon::cuda
