#include "profile/step_times.h"

#include <gtest/gtest.h>

#include "runtime/executable.h"

namespace tenon {
namespace {

/// Runs whose clock is a script: call k of RunTimed reports script[k].
class ScriptedExecution final : public internal::Execution {
 public:
  explicit ScriptedExecution(std::vector<std::vector<double>> script) : script_(std::move(script)) {}
  void Run(std::span<const void* const>, std::span<void* const>, std::vector<double>* step_us) override {
    if (step_us) *step_us = script_[timed_++ % script_.size()];
  }
  int64_t memory_bytes() const override { return 0; }
  int threads() const override { return 1; }

 private:
  std::vector<std::vector<double>> script_;
  size_t timed_ = 0;
};

class ScriptedExecutable final : public internal::Executable {
 public:
  explicit ScriptedExecutable(std::vector<std::vector<double>> script) : script_(std::move(script)) {
    step_count = script_.at(0).size();
  }
  std::unique_ptr<internal::Execution> NewExecution(int) const override {
    return std::make_unique<ScriptedExecution>(script_);
  }

 private:
  std::vector<std::vector<double>> script_;
};

StepTimes MeasureScript(std::vector<std::vector<double>> script, StepTimesOptions options) {
  const Engine engine = Engine::Adopt(internal::NewHandle({std::make_shared<ScriptedExecutable>(std::move(script))}));
  Context context = engine.CreateContext();
  options.warmup_ms = 0;
  return MeasureStepTimes(context, {}, {}, options);
}

TEST(StepTimesTest, TheQuietestQuarterCountsAndAddsUp) {
  // Eight runs; the two quietest are the third and the sixth. The median of step 0 is another one.
  const StepTimes times =
      MeasureScript({{50, 9}, {50, 9}, {10, 4}, {50, 9}, {50, 9}, {12, 2}, {5, 900}, {50, 9}}, {.iterations = 8});
  ASSERT_EQ(times.step_us.size(), 2u);
  EXPECT_DOUBLE_EQ(times.step_us[0], 11);
  EXPECT_DOUBLE_EQ(times.step_us[1], 3);
  EXPECT_DOUBLE_EQ(times.SumUs(), 14);
  EXPECT_DOUBLE_EQ(times.step_median_us[0], 50);
  EXPECT_DOUBLE_EQ(times.step_median_us[1], 9);
  EXPECT_GT(times.whole_us, 0);
}

TEST(StepTimesTest, KeepsRunsFromTheMiddle) {
  const StepTimes times = MeasureScript({{0}, {1}, {2}, {3}, {4}, {5}}, {.iterations = 6, .kept_runs = 2});
  ASSERT_EQ(times.runs.size(), 2u);
  EXPECT_EQ(times.runs[0].step_us, std::vector<double>{2});
  EXPECT_EQ(times.runs[1].step_us, std::vector<double>{3});
  EXPECT_EQ(times.runs[0].start_us, 0);
  EXPECT_GT(times.runs[1].start_us, 0);
}

TEST(StepTimesTest, OneIterationIsEnough) {
  int calls = 0;
  const StepTimes times = MeasureScript({{7, 8}}, {.iterations = 1, .after = [&] { ++calls; }});
  EXPECT_DOUBLE_EQ(times.SumUs(), 15);
  EXPECT_EQ(times.runs.size(), 1u);
  EXPECT_EQ(calls, 1);
}

TEST(MedianTest, UpperMiddle) {
  EXPECT_EQ(Median({3, 1, 2}), 2);
  EXPECT_EQ(Median({4, 1, 2, 3}), 3);
  EXPECT_EQ(Median({5}), 5);
}

}  // namespace
}  // namespace tenon
