#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "backends/cpu/cpu_device.h"
#include "base/file.h"
#include "compile/compiler.h"
#include "engine/engine_file.h"
#include "engine/engine_layout.h"
#include "ir/text.h"
#include "ops/evaluate.h"
#include "ops/op_list.h"
#include "runtime/load.h"

namespace tenon {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

/// A convolution, a region, a pool and constants: what the kept engine was built from.
constexpr const char* kGraph = R"(graph "kept" {
  meta "task" "detect"
  input %x: f32[1,3,8,8]
  const %w: f32[8,3,3,3] = random(1)
  const %b: f32[8] = random(2)
  const %scale: f32[8,1,1] = random(3)
  %a: f32[1,8,8,8] = Conv(%x, %w, %b) {strides=[1,1], dilations=[1,1], pads=[1,1,1,1], activation=silu} name "conv"
  %p, _ = Pool(%a) {kind=max, kernel=[2,2], strides=[2,2]} name "pool"
  %s: f32[1,8,4,4] = Binary(%p, %scale) {kind=mul} name "scale"
  %y: f32[1,8,4,4] = Unary(%s) {kind=sigmoid} name "sigmoid"
  output %y "y"
})";

/// A machine that every test can stand for: any CPU that Tenon runs on.
CpuDevice PlainDevice() {
  CpuDevice device;
  device.features.avx2_fma = true;
  device.brand = "a plain CPU of the tests";
  device.threads = 1;
  return device;
}

std::string KeptEngine() { return TENON_SOURCE_DIR "/tests/data/engines/format-1.tenon"; }

Tensor Input() {
  Tensor x(DType::kFloat32, {1, 3, 8, 8});
  for (int64_t i = 0; i < x.elems(); ++i) x.data<float>()[i] = static_cast<float>(i % 29) / 29.0f;
  return x;
}

Tensor RunEngine(const std::shared_ptr<EngineModel>& model, const CpuDevice& device) {
  const Engine engine = MakeEngine(model, device);
  Tensor y(DType::kFloat32, {1, 8, 4, 4});
  engine.CreateContext({.threads = 1}).Run({Input().raw()}, {y.raw()});
  return y;
}

Tensor Expected() { return EvaluateGraph(*Parse(kGraph, &MakeOp), std::vector{Input()})[0]; }

void ExpectRight(const Tensor& y, const Tensor& expected = Expected()) {
  // 27 terms below 1 in FP32, an activation, a sigmoid.
  for (int64_t i = 0; i < y.elems(); ++i) ASSERT_NEAR(y.data<float>()[i], expected.data<float>()[i], 1e-5) << i;
}

std::shared_ptr<EngineModel> Build() {
  TimingCache cache;
  return CompileFor(Parse(kGraph, &MakeOp), PlainDevice(), {.tune = {.effort = 0}}, cache).engine;
}

std::string MessageOf(const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    EXPECT_NE(error.code(), ErrorCode::kInternal);
    return error.what();
  }
  return "no error";
}

class EngineVersionsTest : public testing::Test {
 protected:
  ~EngineVersionsTest() override { fs::remove(path_); }
  const std::string path_ = (fs::temp_directory_path() / fmt::format("tenon_versions_{}.tenon", getpid())).string();

  /// The engine through a file, its kernels of `family` being of another version.
  std::shared_ptr<EngineModel> WithForeign(const std::string& family) {
    auto model = Build();
    Program program = *model->plans[0];
    int changed = 0;
    for (auto& step : program.steps) {
      if (step.family == family) step.family_version += 100, ++changed;
    }
    EXPECT_GT(changed, 0) << family;
    model->plans[0] = std::make_shared<Program>(std::move(program));
    WriteEngine(*model, path_);
    return ReadEngine(path_);
  }
};

/// Makes the file that the next test reads; run it by hand when the format's version rises, and keep the old file too:
///   compile_tests --gtest_also_run_disabled_tests --gtest_filter='*WriteTheKeptEngine'
TEST_F(EngineVersionsTest, DISABLED_WriteTheKeptEngine) {
  const auto model = Build();
  const Tensor expected = Expected();
  for (const float value : expected.values<float>()) model->reports["expected outputs"] += fmt::format("{} ", value);
  WriteEngine(*model, KeptEngine());
}

TEST_F(EngineVersionsTest, TheKeptEngineRunsOrIsRefusedClearly) {
  const auto model = ReadEngine(KeptEngine());
  EXPECT_EQ(model->metadata.at("task"), "detect");
  EXPECT_EQ(model->outputs[0].shape, (Shape{1, 8, 4, 4}));
  // Kept with it: what today's reference says of today's random constants is not what they were then.
  Tensor expected(DType::kFloat32, model->outputs[0].shape);
  std::istringstream values(model->reports.at("expected outputs"));
  for (int64_t i = 0; i < expected.elems(); ++i) ASSERT_TRUE(values >> expected.data<float>()[i]);
  if (FindPlan(*model, PlainDevice())) return ExpectRight(RunEngine(model, PlainDevice()), expected);
  // Since kernels changed: said so, and built again where the weights can still be read.
  EXPECT_THAT(MessageOf([&] { RunEngine(model, PlainDevice()); }),
              AllOf(HasSubstr("another version of Tenon"), HasSubstr("kernel famil"), HasSubstr("tenon export")));
  TimingCache cache;
  const std::string message = MessageOf([&] { AddPlan(*model, PlainDevice(), {.effort = 0}, cache); });
  if (message == "no error") return ExpectRight(RunEngine(model, PlainDevice()), expected);
  EXPECT_THAT(message, AllOf(HasSubstr("another version of Tenon"), HasSubstr("tenon export")));
}

TEST_F(EngineVersionsTest, OtherFormatsAreRefusedByName) {
  WriteEngine(*Build(), path_);
  std::string bytes = ReadTextFile(path_);
  const auto message_with = [&](uint32_t version) {
    std::memcpy(bytes.data() + offsetof(EngineHeader, version), &version, sizeof(version));
    WriteTextFileAtomically(path_, bytes);
    return MessageOf([&] { ReadEngine(path_); });
  };
  EXPECT_THAT(message_with(kEngineFormatVersion + 1),
              AllOf(HasSubstr("newer version of Tenon"), HasSubstr(path_), HasSubstr("tenon export")));
  EXPECT_THAT(message_with(kEngineFormatVersion - 1),
              AllOf(HasSubstr("older version of Tenon"), HasSubstr(path_), HasSubstr("tenon export")));
  EXPECT_EQ(message_with(kEngineFormatVersion), "no error");
}

TEST_F(EngineVersionsTest, ForeignKernelsWithoutWeightsAreBuiltAgain) {
  const auto model = WithForeign("region");
  EXPECT_EQ(FindPlan(*model, PlainDevice()), nullptr);
  EXPECT_THAT(MessageOf([&] { RunEngine(model, PlainDevice()); }),
              AllOf(HasSubstr("another version of Tenon"), HasSubstr("region 10"), HasSubstr("--build")));
  TimingCache cache;
  AddPlan(*model, PlainDevice(), {.effort = 0}, cache);
  ASSERT_NE(FindPlan(*model, PlainDevice()), nullptr);
  ExpectRight(RunEngine(model, PlainDevice()));
  // Both plans are in the file; the one that fits is found again.
  WriteEngine(*model, path_);
  ExpectRight(RunEngine(ReadEngine(path_), PlainDevice()));
}

TEST_F(EngineVersionsTest, ForeignPackingIsRefusedWithItsFamily) {
  const auto model = WithForeign("conv_direct");
  EXPECT_THAT(MessageOf([&] { RunEngine(model, PlainDevice()); }), HasSubstr("conv_direct"));
  TimingCache cache;
  EXPECT_THAT(MessageOf([&] { AddPlan(*model, PlainDevice(), {.effort = 0}, cache); }),
              AllOf(HasSubstr("packed as another version"), HasSubstr("conv_direct"), HasSubstr("tenon export")));
}

TEST_F(EngineVersionsTest, OtherMachinesAreToldWhichOnesItHas) {
  CpuDevice other = PlainDevice();
  other.brand = "another vendor's CPU";
  const std::string message = MessageOf([&] { RunEngine(Build(), other); });
  EXPECT_THAT(message, AllOf(HasSubstr("another vendor's CPU"), HasSubstr("a plain CPU of the tests"),
                             HasSubstr("avx2"), HasSubstr("--build")));
  CpuDevice richer = PlainDevice();
  richer.features.avx512 = true;
  EXPECT_THAT(MessageOf([&] { RunEngine(Build(), richer); }), HasSubstr("no plan for this machine"));
}

}  // namespace
}  // namespace tenon
