#include "verify/latency.h"

#include <gtest/gtest.h>

#include <chrono>
#include <ctime>
#include <numeric>
#include <thread>

#include "verify/json.h"

namespace tenon {
namespace {

TEST(SummariseTimes, RanksOfUnsortedTimes) {
  std::vector<double> times(100);
  std::iota(times.rbegin(), times.rend(), 1);  // 100, 99 ... 1
  const LatencyStats stats = SummariseTimes(times);
  EXPECT_EQ(stats.runs, 100);
  EXPECT_EQ(stats.min, 1);
  EXPECT_EQ(stats.median, 51);
  EXPECT_EQ(stats.p90, 91);
  EXPECT_EQ(stats.p95, 96);
  EXPECT_EQ(stats.p99, 100);
  EXPECT_EQ(stats.mean, 50.5);
}

TEST(SummariseTimes, OneAndNone) {
  EXPECT_EQ(SummariseTimes({7}).p99, 7);
  EXPECT_EQ(SummariseTimes({}).runs, 0);
}

TEST(TimesHistogram, EveryRunIsCounted) {
  std::vector<double> times(1000);
  std::iota(times.begin(), times.end(), 1);
  times.push_back(1e9);  // an outlier takes the last bin, not the whole chart
  const auto histogram = TimesHistogram(times);
  EXPECT_EQ(histogram["low"], 1);
  EXPECT_LT(histogram["high"], 1200);
  int64_t sum = 0;
  for (const int64_t count : histogram["counts"]) sum += count;
  EXPECT_EQ(sum, 1001);
  EXPECT_GE(histogram["counts"].back(), 1);
  EXPECT_EQ(TimesHistogram({5, 5})["counts"][0], 2);
  EXPECT_TRUE(TimesHistogram({}).is_null());
}

TEST(MeasureLatency, RoundsAreInterleaved) {
  std::string order;
  const std::vector<Runnable> runnables = {{"a", [&] { order += 'a'; }}, {"b", [&] { order += 'b'; }}};
  const LatencyMeasurement measured = MeasureLatency(runnables, {.warmup_ms = 0, .duration_s = 0, .iterations = 3});
  EXPECT_EQ(order, "abababab");  // one warm-up, three rounds
  ASSERT_EQ(measured.rows.size(), 2u);
  EXPECT_EQ(measured.rows[1].name, "b");
  EXPECT_EQ(measured.rows[0].times_ms.size(), 3u);
  EXPECT_EQ(measured.rows[1].stats.runs, 3);
}

TEST(MeasureLatency, RunsForTheDurationOfEach) {
  const auto sleep = [] { std::this_thread::sleep_for(std::chrono::milliseconds(2)); };
  const std::vector<Runnable> runnables = {{"a", sleep}, {"b", sleep}};
  const LatencyMeasurement measured = MeasureLatency(runnables, {.warmup_ms = 0, .duration_s = 0.05, .iterations = 1});
  EXPECT_GE(measured.wall_s, 0.1);
  EXPECT_GE(measured.rows[0].stats.min, 2);
  EXPECT_GE(measured.rows[0].stats.runs, 2);
  EXPECT_NE(measured.Note().find("load average"), std::string::npos);
}

TEST(MeasureLatency, AnErrorReachesTheCaller) {
  const std::vector<Runnable> runnables = {{"bad", [] { throw std::runtime_error("no"); }}};
  EXPECT_THROW(MeasureLatency(runnables, {}), std::runtime_error);
}

TEST(HostLoadMeter, OwnWorkIsNotOthers) {
  const HostLoadMeter meter;
  const auto start = std::chrono::steady_clock::now();
  const std::clock_t own_start = std::clock();
  volatile double sink = 0;
  double wall_s = 0;
  while (wall_s < 0.3) {
    sink = sink + 1;
    wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  const double own_s = static_cast<double>(std::clock() - own_start) / CLOCKS_PER_SEC;
  const HostLoad load = meter.Finish();
  if (!load.others_share) GTEST_SKIP() << "no /proc/stat here";
  EXPECT_GE(*load.others_share, 0);
  // What this process used is left for no other; ticks of 10 ms on each core are the tolerance.
  EXPECT_LE(*load.others_share, 1 - own_s / (wall_s * std::thread::hardware_concurrency()) + 0.1);
  EXPECT_LE(*load.steal_share, *load.others_share + 0.1);
}

TEST(LatencyTest, ARunnableMayTimeItself) {
  int runs = 0;
  const std::vector<Runnable> runnables = {{.name = "elsewhere",
                                            .run = [] { FAIL() << "not asked"; },
                                            .timed_run = [&] { return static_cast<double>(++runs); }}};
  const auto measured = MeasureLatency(runnables, {.warmup_ms = 0, .duration_s = 0, .iterations = 3});
  EXPECT_EQ(measured.rows[0].times_ms, (std::vector<double>{2, 3, 4}));
}

}  // namespace
}  // namespace tenon
