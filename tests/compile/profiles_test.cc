// Engines of several batch sizes: a profile and a plan for each, equal data held once.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <random>
#include <set>

#include "backends/cpu/cpu_device.h"
#include "base/error.h"
#include "compile/compiler.h"
#include "engine/engine_file.h"
#include "ir/text.h"
#include "ops/op_list.h"
#include "runtime/load.h"

namespace tenon {
namespace {

constexpr const char* kNet = R"(graph "net" {
  input %images: f32[BATCH,16,16,16]
  const %w0: f32[64,16,3,3] = random(1)
  const %w1: f32[8,64,1,1] = random(2)
  const %s: i64[3] = [BATCH, 8, 256]
  %a = Conv(%images, %w0) {strides=[1,1], dilations=[1,1], pads=[1,1,1,1], activation=silu}
  %b = Conv(%a, %w1) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}
  %y = Reshape(%b, %s)
  output %y "y"
})";
constexpr int64_t kElems = 16 * 16 * 16, kOutputElems = 8 * 256;

std::vector<std::unique_ptr<Graph>> MakeNets(const std::vector<int>& batches) {
  std::vector<std::unique_ptr<Graph>> nets;
  for (const int batch : batches) {
    std::string text = kNet;
    for (size_t at = text.find("BATCH"); at != std::string::npos; at = text.find("BATCH"))
      text.replace(at, 5, std::to_string(batch));
    nets.push_back(Parse(text, &MakeOp));
  }
  return nets;
}

std::shared_ptr<EngineModel> Compile(const std::vector<int>& batches, const Device& device = CpuDevice::Detect()) {
  TimingCache cache;
  return CompileFor(MakeNets(batches), device, {.tune = {.effort = 0}}, cache).engine;
}

class Profiles : public testing::Test {
 protected:
  Profiles() { std::filesystem::create_directories(folder_); }
  ~Profiles() override { std::filesystem::remove_all(folder_); }
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }

 private:
  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("tenon_profiles_" + std::to_string(getpid()));
};

std::vector<float> Images(int64_t count) {
  std::vector<float> images(static_cast<size_t>(count * kElems));
  std::mt19937 random(3);
  for (float& value : images) value = static_cast<float>(random() % 1000) / 1000.0f;
  return images;
}

std::vector<float> RunOn(const Engine& engine, int batch, const std::vector<float>& images) {
  Context context = engine.CreateContext({.threads = 2, .batch = batch});
  std::vector<float> padded(static_cast<size_t>(context.batch() * kElems));
  std::copy_n(images.begin(), std::min(images.size(), padded.size()), padded.begin());
  std::vector<float> output(static_cast<size_t>(context.batch() * kOutputElems));
  context.Run({padded.data()}, {output.data()});
  return output;
}

TEST_F(Profiles, EachComputesAsTheOthersOnACpu) {
  WriteEngine(*Compile({1, 3, 8}), Path("net.tenon"));
  const Engine engine = Engine::Load(Path("net.tenon"), "cpu");
  EXPECT_EQ(engine.batches(), (std::vector<int64_t>{1, 3, 8}));
  EXPECT_EQ(engine.inputs()[0].shape[0], 1);
  const std::vector<float> images = Images(8), all = RunOn(engine, 8, images);
  ASSERT_EQ(all.size(), 8u * kOutputElems);
  for (const int batch : {0, 1, 2, 3, 5}) {
    const std::vector<float> some = RunOn(engine, batch, images);
    const size_t same = std::max(1, batch) * static_cast<size_t>(kOutputElems);
    EXPECT_TRUE(std::equal(some.begin(), some.begin() + static_cast<ptrdiff_t>(same), all.begin())) << batch;
  }
}

TEST_F(Profiles, AContextHasTheSmallestSizeThatHoldsTheBatch) {
  const Engine engine = MakeEngine(Compile({1, 3, 8}), CpuDevice::Detect());
  const std::pair<int, int> expected[] = {{0, 1}, {1, 1}, {2, 3}, {3, 3}, {4, 8}, {8, 8}};
  for (const auto& [asked, size] : expected) {
    const Context context = engine.CreateContext({.threads = 1, .batch = asked});
    EXPECT_EQ(context.batch(), size);
    EXPECT_EQ(context.inputs()[0].shape, (Shape{size, 16, 16, 16}));
    EXPECT_EQ(context.outputs()[0].shape, (Shape{size, 8, 256}));
  }
  for (const int wrong : {-1, 9}) {
    try {
      engine.CreateContext({.batch = wrong});
      FAIL() << wrong;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
      EXPECT_NE(std::string(error.what()).find("1, 3, 8"), std::string::npos) << error.what();
    }
  }
}

TEST_F(Profiles, EqualWeightsAreHeldOnce) {
  const auto three = Compile({1, 3, 8});
  std::set<const std::byte*> weights;
  for (const auto& plan : three->plans) {
    for (const Blob& blob : plan->packed) weights.insert(blob.data.get());
  }
  // Both convolutions' weights; a batch size may take another tactic, whose weights are packed otherwise.
  EXPECT_LT(weights.size(), three->plans[0]->packed.size() * 3);
  const int64_t one_bytes = WriteEngine(*Compile({1}), Path("one.tenon"));
  const int64_t same_bytes = WriteEngine(*Compile({1, 2}), Path("two.tenon"));
  const int64_t weights_bytes = WeightsBytes(*three->plans[0]);
  EXPECT_LT(same_bytes, one_bytes + weights_bytes);

  const auto read = ReadEngine(Path("two.tenon"));
  const Engine engine = MakeEngine(read, CpuDevice::Detect());
  EXPECT_LT(engine.weights_bytes(), WeightsBytes(*read->plans[0]) + WeightsBytes(*read->plans[1]));
  WriteEngine(*read, Path("again.tenon"));
  EXPECT_EQ(EngineFileBytes(*read), same_bytes);
}

TEST_F(Profiles, AnotherDeviceGetsAPlanOfEachProfile) {
  const auto engine = Compile({1, 3});
  for (auto& plan : engine->plans) {
    auto elsewhere = std::make_shared<Program>(*plan);
    elsewhere->fingerprint = "cpu: another" + plan->fingerprint.substr(plan->fingerprint.rfind(" ["));
    plan = elsewhere;
  }
  EXPECT_FALSE(HasPlans(*engine, CpuDevice::Detect()));
  EXPECT_THROW(MakeEngine(engine, CpuDevice::Detect()), Error);
  TimingCache cache;
  AddPlan(*engine, CpuDevice::Detect(), {.effort = 0}, cache);
  ASSERT_EQ(engine->plans.size(), 4u);
  WriteEngine(*engine, Path("both.tenon"));
  const Engine both = Engine::Load(Path("both.tenon"), "cpu"),
               direct = MakeEngine(Compile({1, 3}), CpuDevice::Detect());
  const std::vector<float> images = Images(3);
  EXPECT_EQ(RunOn(both, 3, images), RunOn(direct, 3, images));
  EXPECT_EQ(RunOn(both, 1, images), RunOn(direct, 1, images));
}

TEST_F(Profiles, DamagedOnesAreRefused) {
  const auto refuse = [&](const char* what, auto damage) {
    const auto engine = Compile({1, 3});
    damage(*engine);
    WriteEngine(*engine, Path("bad.tenon"));
    try {
      ReadEngine(Path("bad.tenon"));
      FAIL() << what;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidInput) << what;
      EXPECT_NE(std::string(error.what()).find(what), std::string::npos) << error.what();
    }
  };
  const auto with_profile = [](EngineModel& engine, int32_t profile) {
    auto plan = std::make_shared<Program>(*engine.plans[1]);
    plan->profile = profile;
    engine.plans[1] = plan;
  };
  refuse("a plan of profile 2 of 2", [&](EngineModel& engine) { with_profile(engine, 2); });
  refuse("a plan of profile -1 of 2", [&](EngineModel& engine) { with_profile(engine, -1); });
  refuse("an operand", [&](EngineModel& engine) { with_profile(engine, 0); });
  refuse("another network", [](EngineModel& engine) { engine.more_profiles[0].inputs[0].shape[0] = 1; });
  refuse("another network", [](EngineModel& engine) { engine.more_profiles[0].inputs[0].shape.pop_back(); });
  refuse("another network", [](EngineModel& engine) { engine.more_profiles[0].outputs.clear(); });
}

TEST_F(Profiles, TheWorkspaceIsALimit) {
  TimingCache cache;
  const auto needed = Compile({1, 8})->plans[1]->arena_bytes;
  const auto compile = [&](int64_t limit) {
    return CompileFor(MakeNets({1, 8}), CpuDevice::Detect(), {.tune = {.effort = 0}, .workspace_bytes = limit}, cache);
  };
  EXPECT_EQ(compile(needed).engine->plans.size(), 2u);
  try {
    compile(needed - 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupportedDevice);
    EXPECT_NE(std::string(error.what()).find("--workspace"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tenon
