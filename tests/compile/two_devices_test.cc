// One engine, plans for a CPU and for a GPU that isn't here: what a build farm makes. NVRTC alone is needed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <random>

#include "backends/cpu/cpu_device.h"
#include "backends/cuda/cuda_device.h"
#include "backends/cuda/cuda_steps.h"
#include "base/error.h"
#include "compile/compiler.h"
#include "engine/engine_file.h"
#include "ir/text.h"
#include "ops/op_list.h"
#include "runtime/load.h"

namespace tenon {
namespace {

constexpr const char* kNet = R"(graph "net" {
  input %images: f32[1,3,32,32]
  const %w0: f32[16,3,3,3] = random(1)
  const %b0: f32[16] = random(2)
  const %w1: f32[32,16,3,3] = random(3)
  const %wd: f32[32,1,3,3] = random(4)
  const %w2: f32[8,64,1,1] = random(5)
  %a = Conv(%images, %w0, %b0) {strides=[2,2], dilations=[1,1], pads=[1,1,1,1], activation=silu}
  %b = Conv(%a, %w1) {strides=[1,1], dilations=[1,1], pads=[1,1,1,1], activation=silu}
  %d = Conv(%b, %wd) {strides=[1,1], dilations=[1,1], pads=[1,1,1,1], groups=32}
  %p, _ = Pool(%d) {kind=max, kernel=[5,5], strides=[1,1], pads=[2,2,2,2]}
  %q, _ = Pool(%p) {kind=max, kernel=[5,5], strides=[1,1], pads=[2,2,2,2]}
  %pq = Concat(%p, %q) {axis=1}
  %c = Conv(%pq, %w2) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}
  %y = Unary(%c) {kind=sigmoid}
  output %y "output0"
})";

CudaDevice Hopper() {
  CudaDevice device = cuda::Hopper();
  device.name = "a GPU of the tests";
  return device;
}

class TwoDevicesTest : public testing::Test {
 protected:
  void SetUp() override {
    if (CudaDevice::NvrtcVersion() == 0) GTEST_SKIP() << "NVRTC is not on this machine";
  }
  ~TwoDevicesTest() override { std::filesystem::remove(path_); }

  static CompileResult Compile(const Device& device, Precision precision) {
    TimingCache cache;
    return CompileFor(Parse(kNet, &MakeOp), device, {.precision = precision, .tune = {.effort = 0}}, cache);
  }
  /// Written and read again.
  std::shared_ptr<EngineModel> ThroughAFile(const EngineModel& engine) const {
    WriteEngine(engine, path_.string());
    return ReadEngine(path_.string());
  }

  static Tensor Run(const std::shared_ptr<const EngineModel>& engine) {
    Tensor image(DType::kFloat32, {1, 3, 32, 32}), output(DType::kFloat32, engine->outputs[0].shape);
    std::mt19937 random(5);
    for (int64_t i = 0; i < image.elems(); ++i) image.data<float>()[i] = static_cast<float>(random() % 256) / 255.0f;
    MakeEngine(engine, CpuDevice::Detect()).CreateContext({.threads = 1}).Run({image.raw()}, {output.raw()});
    return output;
  }

  std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / ("tenon_two_devices_" + std::to_string(getpid()) + ".tenon");
};

TEST_F(TwoDevicesTest, GpuPlanTravelsWithItsCode) {
  const auto made = Compile(Hopper(), Precision::kHalf);
  EXPECT_TRUE(made.warnings.empty()) << made.warnings[0];
  const Program& plan = *made.engine->plans[0];
  EXPECT_EQ(plan.device, "cuda");
  ASSERT_FALSE(plan.code.empty());
  const auto read = ThroughAFile(*made.engine);
  ASSERT_EQ(read->plans[0]->code.size(), plan.code.size());
  for (size_t i = 0; i < plan.code.size(); ++i) {
    EXPECT_EQ(read->plans[0]->code[i].source, plan.code[i].source);
    EXPECT_TRUE(std::ranges::equal(read->plans[0]->code[i].code.bytes(), plan.code[i].code.bytes()));
  }
  EXPECT_NE(FindPlan(*read, Hopper()), nullptr);
  EXPECT_EQ(FindPlan(*read, CpuDevice::Detect()), nullptr);
  try {
    NewExecutablesOn(*read, "");
    FAIL() << "a plan for a GPU ran on a CPU";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupportedDevice);
    EXPECT_THAT(error.what(), testing::HasSubstr("a GPU of the tests"));
  }
}

TEST_F(TwoDevicesTest, CpuPlanIsBuiltFromWhatTheGpuPlanPacked) {
  const CpuDevice cpu = CpuDevice::Detect();
  const auto engine = ThroughAFile(*Compile(Hopper(), Precision::kFp32).engine);
  TimingCache cache;
  AddPlan(*engine, cpu, {.effort = 0}, cache);
  ASSERT_EQ(engine->plans.size(), 2u);
  const auto direct = Compile(cpu, Precision::kFp32).engine;
  EXPECT_TRUE(Identical(Run(ThroughAFile(*engine)), Run(direct)));
}

TEST_F(TwoDevicesTest, GpuPlanIsBuiltFromWhatTheCpuPlanPacked) {
  const auto engine = ThroughAFile(*Compile(CpuDevice::Detect(), Precision::kFp32).engine);
  TimingCache cache;
  AddPlan(*engine, Hopper(), {.effort = 0}, cache);
  const auto direct = Compile(Hopper(), Precision::kFp32).engine;
  const Program &added = *engine->plans.at(1), &made = *direct->plans[0];
  ASSERT_EQ(added.packed.size(), made.packed.size());
  for (size_t i = 0; i < made.packed.size(); ++i)
    EXPECT_TRUE(std::ranges::equal(added.packed[i].bytes(), made.packed[i].bytes())) << i;
}

TEST_F(TwoDevicesTest, HalfOfAGpuIsNotTheCpus) {
  const auto engine = Compile(Hopper(), Precision::kHalf).engine;
  TimingCache cache;
  try {
    AddPlan(*engine, CpuDevice::Detect(), {.effort = 0}, cache);
    FAIL() << "FP16 on a CPU";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupportedDevice);
  }
}

}  // namespace
}  // namespace tenon
