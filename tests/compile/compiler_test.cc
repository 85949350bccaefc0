#include "compile/compiler.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "backends/cpu/cpu_device.h"
#include "base/file.h"
#include "engine/engine_file.h"
#include "ir/text.h"
#include "ops/evaluate.h"
#include "ops/op_list.h"
#include "runtime/load.h"

namespace tenon {
namespace {

namespace fs = std::filesystem;

/// A little detector: stem, C2f block, pool, a neck with upsample and concat, two scales, sigmoid tail.
constexpr const char* kNet = R"(graph "net" {
  meta "task" "detect"
  input %images: f32[BATCH,3,32,32]
  const %w0: f32[16,3,3,3] = random(1)
  const %b0: f32[16] = random(2)
  const %w1: f32[32,16,3,3] = random(3)
  const %w2: f32[16,16,3,3] = random(4)
  const %w3: f32[24,48,1,1] = random(5)
  const %wh: f32[7,24,1,1] = random(6)
  const %s: i64[3] = [0, 7, -1]
  %a = Conv(%images, %w0, %b0) {strides=[2,2], dilations=[1,1], pads=[1,1,1,1], activation=silu}
  %b = Conv(%a, %w1) {strides=[2,2], dilations=[1,1], pads=[1,1,1,1], activation=silu}
  %b0v, %b1v = Split(%b) {axis=1, num_outputs=2}
  %c = Conv(%b1v, %w2, _, %b1v) {strides=[1,1], dilations=[1,1], pads=[1,1,1,1], activation=silu}
  %d = Concat(%b, %c) {axis=1}
  %e = Conv(%d, %w3) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0], activation=silu}
  %p, _ = Pool(%e) {kind=max, kernel=[2,2], strides=[2,2]}
  const %w4: f32[8,24,1,1] = random(7)
  const %w5: f32[24,32,3,3] = random(8)
  const %scales: f32[4] = [1, 1, 2, 2]
  %q = Conv(%p, %w4) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0], activation=relu}
  %u = Resize(%q, _, %scales) {mode=nearest}
  %n = Concat(%u, %e) {axis=1}
  %f = Conv(%n, %w5) {strides=[1,1], dilations=[1,1], pads=[1,1,1,1], activation=sigmoid}
  %h0 = Conv(%f, %wh) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}
  %h1 = Conv(%p, %wh) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}
  %r0 = Reshape(%h0, %s)
  %r1 = Reshape(%h1, %s)
  %all = Concat(%r0, %r1) {axis=2}
  %y = Unary(%all) {kind=sigmoid}
  output %y "output0"
})";

std::unique_ptr<Graph> MakeNet(int batch = 1) {
  std::string text = kNet;
  text.replace(text.find("BATCH"), 5, std::to_string(batch));
  return Parse(text, &MakeOp);
}

Tensor RandomImage(int batch, uint32_t seed) {
  Tensor image(DType::kFloat32, {batch, 3, 32, 32});
  std::mt19937 random(seed);
  for (int64_t i = 0; i < image.elems(); ++i) image.data<float>()[i] = static_cast<float>(random() % 1000) / 1000.0f;
  return image;
}

Tensor RunEngine(const Engine& engine, const Tensor& image, int threads = 2) {
  Context context = engine.CreateContext({.threads = threads});
  Tensor output(engine.outputs()[0].dtype, engine.outputs()[0].shape);
  context.Run({image.raw()}, {output.raw()});
  return output;
}

CompileResult CompileNet(int batch, CompileOptions options, TimingCache& cache) {
  return CompileFor(MakeNet(batch), CpuDevice::Detect(), options, cache);
}

class EngineFileTest : public testing::Test {
 protected:
  EngineFileTest() { fs::create_directories(folder_); }
  ~EngineFileTest() override { fs::remove_all(folder_); }
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }

 private:
  fs::path folder_ = fs::temp_directory_path() / ("tenon_engine_test_" + std::to_string(getpid()));
};

TEST(CompilerTest, AgreesWithTheReference) {
  const auto graph = MakeNet();
  const Tensor image = RandomImage(1, 7);
  const Tensor expected = EvaluateGraph(*graph, std::vector{image})[0];
  TimingCache cache;
  const auto result = CompileNet(1, {.tune = {.effort = 1}}, cache);
  EXPECT_TRUE(result.warnings.empty()) << result.warnings[0];
  EXPECT_GT(cache.size(), 0u);
  const Tensor output = RunEngine(MakeEngine(result.engine, CpuDevice::Detect()), image);
  // Logits reach about 100 here, from sums of up to 432 terms: FP32 rounding leaves 1e-4 of them, sigmoid's slope a
  // quarter.
  for (int64_t i = 0; i < output.elems(); ++i)
    ASSERT_NEAR(output.data<float>()[i], expected.data<float>()[i], 1e-4) << i;
}

TEST(CompilerTest, HalfIsCloseAndSaysSo) {
  if (!CpuDevice::Detect().features.avx512_bf16) GTEST_SKIP() << "this CPU has no BF16";
  const auto graph = MakeNet();
  const Tensor image = RandomImage(1, 8);
  const Tensor expected = EvaluateGraph(*graph, std::vector{image})[0];
  TimingCache cache;
  const auto result = CompileNet(1, {.precision = Precision::kHalf, .tune = {.effort = 0}}, cache);
  const Engine engine = MakeEngine(result.engine, CpuDevice::Detect());
  EXPECT_EQ(engine.precision(), "half");
  const Tensor output = RunEngine(engine, image);
  double sum_squares = 0, worst = 0;
  for (int64_t i = 0; i < output.elems(); ++i) {
    const double error = std::abs(double(output.data<float>()[i]) - expected.data<float>()[i]);
    sum_squares += error * error;
    worst = std::max(worst, error);
  }
  // BF16 keeps 2^-9 of each logit and six layers add up in quadrature: 0.5% of logits around 50, and sigmoid's slope is
  // at most a quarter: 0.06 where a logit is near 0, nothing where it saturates.
  EXPECT_LT(std::sqrt(sum_squares / static_cast<double>(output.elems())), 0.06);
  EXPECT_GT(worst, 0);
}

TEST(CompilerTest, HalfIsRefusedWhereTheCpuHasNoBf16) {
  CpuDevice device = CpuDevice::Detect();
  device.features.avx512_bf16 = false;
  TimingCache cache;
  try {
    CompileFor(MakeNet(), device, {.precision = Precision::kHalf}, cache);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupportedDevice);
  }
}

TEST(CompilerTest, SameBitsOverThreadsRunsAndPlacesInABatch) {
  TimingCache cache;
  const Engine one = MakeEngine(CompileNet(1, {.tune = {.effort = 0}}, cache).engine, CpuDevice::Detect());
  const Engine four = MakeEngine(CompileNet(4, {.tune = {.effort = 1}}, cache).engine, CpuDevice::Detect());
  const Tensor image = RandomImage(1, 9);
  const Tensor expected = RunEngine(one, image, 1);
  EXPECT_TRUE(Identical(RunEngine(one, image, 2), expected));
  EXPECT_TRUE(Identical(RunEngine(one, image, 3), expected));
  const Tensor batch = RandomImage(4, 10);
  Tensor mixed(DType::kFloat32, {4, 3, 32, 32});
  std::copy_n(batch.data<float>(), batch.elems(), mixed.data<float>());
  std::copy_n(image.data<float>(), image.elems(), mixed.data<float>() + 2 * image.elems());
  const Tensor outputs = RunEngine(four, mixed);
  for (int64_t i = 0; i < expected.elems(); ++i)
    ASSERT_EQ(outputs.data<float>()[2 * expected.elems() + i], expected.data<float>()[i]) << i;
}

TEST(CompilerTest, ContextsOfOneEngineRunSideBySide) {
  TimingCache cache;
  const Engine engine = MakeEngine(CompileNet(1, {.tune = {.effort = 0}}, cache).engine, CpuDevice::Detect());
  const Tensor image = RandomImage(1, 11), expected = RunEngine(engine, image);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int run = 0; run < 20; ++run) wrong += !Identical(RunEngine(engine, image, 1), expected);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(EngineFileTest, RoundTripsAndRebuildsToTheSameBytes) {
  TimingCache cache;
  const auto first = CompileNet(1, {.tune = {.effort = 1}}, cache);
  const auto second = CompileNet(1, {.tune = {.effort = 1}}, cache);
  WriteEngine(*first.engine, Path("a.tenon"));
  WriteEngine(*second.engine, Path("b.tenon"));
  EXPECT_EQ(ReadTextFile(Path("a.tenon")), ReadTextFile(Path("b.tenon")));
  EXPECT_TRUE(IsEngineFile(Path("a.tenon")));
  const Engine loaded = Engine::Load(Path("a.tenon"));
  EXPECT_EQ(loaded.metadata().at("task"), "detect");
  EXPECT_EQ(loaded.outputs()[0].shape, (Shape{1, 7, 80}));
  const Tensor image = RandomImage(1, 12);
  EXPECT_TRUE(Identical(RunEngine(loaded, image), RunEngine(MakeEngine(first.engine, CpuDevice::Detect()), image)));
}

TEST_F(EngineFileTest, ThePortablePartRebuildsThePlan) {
  TimingCache cache;
  WriteEngine(*CompileNet(1, {.tune = {.effort = 0}}, cache).engine, Path("a.tenon"));
  const auto model = ReadEngine(Path("a.tenon"));
  CpuDevice other = CpuDevice::Detect();
  other.brand = "another CPU";
  EXPECT_EQ(FindPlan(*model, other), nullptr);
  EXPECT_THROW(MakeEngine(model, other), Error);
  AddPlan(*model, other, {.effort = 0}, cache);
  const Tensor image = RandomImage(1, 13);
  EXPECT_TRUE(
      Identical(RunEngine(MakeEngine(model, other), image), RunEngine(MakeEngine(model, CpuDevice::Detect()), image)));
}

TEST_F(EngineFileTest, PlansAreRebuiltFromWeightsThatAnotherInstructionSetPacked) {
  const CpuDevice here = CpuDevice::Detect();
  CpuDevice narrow = here;
  narrow.brand = "a CPU with AVX2 alone";
  narrow.features = {.avx2_fma = true};
  if (here.features.ToString() == narrow.features.ToString()) GTEST_SKIP() << "this CPU has AVX2 alone";
  TimingCache cache;
  const Tensor image = RandomImage(1, 14);
  for (const auto& [maker, user] : {std::pair(here, narrow), std::pair(narrow, here)}) {
    const auto engine = CompileFor(MakeNet(1), maker, {.tune = {.effort = 0}}, cache).engine;
    const auto direct = CompileFor(MakeNet(1), user, {.tune = {.effort = 0}}, cache).engine;
    const Tensor expected = RunEngine(MakeEngine(direct, user), image);
    AddPlan(*engine, user, {.effort = 0}, cache);
    EXPECT_TRUE(Identical(RunEngine(MakeEngine(engine, user), image), expected)) << maker.brand;
  }
}

TEST_F(EngineFileTest, DamageIsAnErrorNeverACrash) {
  TimingCache cache;
  WriteEngine(*CompileNet(1, {.tune = {.effort = 0}}, cache).engine, Path("a.tenon"));
  const std::string whole = ReadTextFile(Path("a.tenon"));
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    std::string damaged = whole;
    if (i % 2) {
      damaged.resize(random() % whole.size());
    } else {
      // Any byte but the padding between sections is covered by a digest.
      damaged[random() % 64 < 8 ? random() % 40 : 64 + random() % 2000] ^= static_cast<char>(1 + random() % 255);
    }
    std::ofstream(Path("b.tenon"), std::ios::binary) << damaged;
    EXPECT_THROW(ReadEngine(Path("b.tenon")), Error) << i;
  }
}

}  // namespace
}  // namespace tenon
