// 64 contexts of one engine on 8 threads: identical bytes, weights held once. Two seconds here; TENON_STRESS_S=60 for
// the long run (docs/measurements/2026-11-23-proof.md). Under tsan this shows that what contexts share is never
// written; kernels are generated code, which tsan does not see, but the interpreted families, the pools and all
// bookkeeping are.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <fstream>
#include <mutex>
#include <random>
#include <sstream>
#include <thread>

#include "runtime/example_engine.h"
#include "support/sanitized.h"
#include "tenon/tenon.hpp"

namespace tenon {
namespace {

using testing_support::ExampleEngine;

constexpr int kContexts = 64, kThreads = 8, kImages = 4;
constexpr size_t kInputElems = 3 * 320 * 320, kOutputElems = 11 * 2100;

std::chrono::duration<double> StressTime() {
  const char* seconds = std::getenv("TENON_STRESS_S");
  return std::chrono::duration<double>(seconds ? std::atof(seconds) : 2.0);
}

std::vector<std::vector<float>> MakeImages() {
  std::mt19937 random(11);
  std::vector<std::vector<float>> images(kImages, std::vector<float>(kInputElems));
  for (auto& image : images) {
    for (float& value : image) value = static_cast<float>(random() % 256) / 255.0f;
  }
  return images;
}

/// Contexts that any thread may take, use and give back.
class ContextQueue {
 public:
  void Put(Context context) {
    const std::lock_guard lock(mutex_);
    contexts_.push_back(std::move(context));
  }
  Context Take() {
    const std::lock_guard lock(mutex_);
    // Not the last one put back: so all of them are used, on changing threads.
    Context context = std::move(contexts_.front());
    contexts_.erase(contexts_.begin());
    return context;
  }
  size_t size() const { return contexts_.size(); }

 private:
  std::mutex mutex_;
  std::vector<Context> contexts_;
};

struct StressResult {
  std::atomic<int64_t> runs{0}, wrong{0};
};

void Work(const Engine& engine, ContextQueue& contexts, const std::vector<std::vector<float>>& images,
          const std::vector<std::vector<float>>& expected, std::chrono::steady_clock::time_point end, uint32_t seed,
          StressResult& result) {
  std::vector<float> output(kOutputElems);
  std::mt19937 random(seed);
  do {
    const size_t image = random() % images.size();
    Context context = contexts.Take();
    if (random() % 16 == 0) context = engine.CreateContext({.threads = context.threads()});
    context.Run({images[image].data()}, {output.data()});
    contexts.Put(std::move(context));
    if (std::memcmp(output.data(), expected[image].data(), output.size() * sizeof(float)) != 0) result.wrong++;
    result.runs++;
  } while (std::chrono::steady_clock::now() < end);
}

TEST(ThreadsTest, ManyContextsOfOneEngineGiveIdenticalBytes) {
  const Engine engine = Engine::Load(ExampleEngine());
  const auto images = MakeImages();
  std::vector<std::vector<float>> expected(kImages, std::vector<float>(kOutputElems));
  {
    Context context = engine.CreateContext({.threads = 1});
    for (int i = 0; i < kImages; ++i) context.Run({images[i].data()}, {expected[i].data()});
  }
  ASSERT_NE(expected[0], expected[1]) << "the test would not see a mix-up";

  ContextQueue contexts;
  for (int i = 0; i < kContexts; ++i) contexts.Put(engine.CreateContext({.threads = i % 4 == 3 ? 2 : 1}));
  StressResult result;
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(StressTime());
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&, i] { Work(engine, contexts, images, expected, end, i, result); });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(result.wrong, 0);
  EXPECT_GE(result.runs, kThreads);
  EXPECT_EQ(contexts.size(), static_cast<size_t>(kContexts));
  std::printf("%d contexts, %d threads: %lld runs, %lld wrong\n", kContexts, kThreads,
              static_cast<long long>(result.runs), static_cast<long long>(result.wrong));
}

TEST(ThreadsTest, EnginesLoadRunAndEndBesideEachOther) {
  const auto images = MakeImages();
  std::vector<std::vector<float>> outputs(kThreads, std::vector<float>(kOutputElems));
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      const Engine engine = Engine::Load(ExampleEngine());
      engine.CreateContext({.threads = 1 + i % 2}).Run({images[0].data()}, {outputs[i].data()});
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& output : outputs) EXPECT_EQ(output, outputs[0]);
}

/// Sum of a field of /proc/self/smaps in bytes, over the mappings whose name holds `name`; how many those are in
/// `count`.
int64_t SmapsBytes(const std::string& field, const std::string& name, int* count = nullptr) {
  std::ifstream smaps("/proc/self/smaps");
  int64_t bytes = 0;
  bool counted = false;
  for (std::string line; std::getline(smaps, line);) {
    const std::string key = line.substr(0, line.find(' '));
    if (key.back() != ':') {
      counted = line.find(name) != std::string::npos;
      if (counted && count) ++*count;
    } else if (counted && key == field + ":") {
      bytes += std::stoll(line.substr(line.find(' '))) * 1024;
    }
  }
  return bytes;
}

TEST(ThreadsTest, WeightsAreHeldOnceInTheFilesMapping) {
  const Engine engine = Engine::Load(ExampleEngine());
  int mappings = 0;
  SmapsBytes("Rss", "forklift.tenon", &mappings);
  ASSERT_EQ(mappings, 1);

  const auto images = MakeImages();
  std::vector<float> output(kOutputElems);
  std::vector<Context> contexts;
  contexts.reserve(kContexts);
  const auto add_contexts = [&](int count) {
    for (int i = 0; i < count; ++i) {
      contexts.push_back(engine.CreateContext({.threads = 1}));
      contexts.back().Run({images[0].data()}, {output.data()});
    }
  };
  add_contexts(1);  // what the first run allocates for all of them
  const int64_t before = SmapsBytes("Anonymous", "");
  add_contexts(kContexts - 1);
  const int64_t growth = (SmapsBytes("Anonymous", "") - before) / (kContexts - 1);

  mappings = 0;
  EXPECT_EQ(SmapsBytes("Anonymous", "forklift.tenon", &mappings), 0) << "pages of the engine were copied";
  EXPECT_EQ(mappings, 1);
  // Every weight was read from there by the runs.
  EXPECT_GE(SmapsBytes("Rss", "forklift.tenon"), engine.weights_bytes());
  std::printf("a context: %lld bytes grown, %lld said; weights %lld bytes\n", static_cast<long long>(growth),
              static_cast<long long>(contexts[0].memory_bytes()), static_cast<long long>(engine.weights_bytes()));
  if (testing_support::kSanitized) GTEST_SKIP() << "a sanitizer's own memory hides what contexts take";
  EXPECT_NEAR(static_cast<double>(growth), static_cast<double>(contexts[0].memory_bytes()), 256 << 10)
      << "not what memory_bytes says (256 KiB for what malloc keeps)";
  EXPECT_LT(growth, engine.weights_bytes());
}

}  // namespace
}  // namespace tenon
