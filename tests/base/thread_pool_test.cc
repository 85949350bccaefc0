#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <chrono>
#include <numeric>

namespace tenon {
namespace {

TEST(ThreadPoolTest, RunsEveryItemOnce) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    for (const int64_t items : {0, 1, 2, 3, 17, 1000}) {
      std::vector<std::atomic<int>> hits(static_cast<size_t>(items));
      pool.Run(items, [&](int64_t item, int thread) {
        EXPECT_LT(thread, threads);
        hits[static_cast<size_t>(item)]++;
      });
      for (const auto& hit : hits) ASSERT_EQ(hit, 1);
    }
  }
}

TEST(ThreadPoolTest, ManyShortJobsBackToBackAndAfterSleep) {
  ThreadPool pool(3);
  int64_t total = 0;
  for (int job = 0; job < 20000; ++job) {
    std::atomic<int64_t> sum{0};
    pool.Run(7, [&](int64_t item, int) { sum += item; });
    total += sum;
    if (job % 5000 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(total, 20000 * 21);
}

TEST(ThreadPoolTest, ADelayedThreadHoldsOnlyItsItem) {
  ThreadPool pool(2);
  std::atomic<int> done{0};
  std::atomic<bool> late{false};
  pool.Run(100, [&](int64_t item, int) {
    if (item == 0) {
      while (done < 99) std::this_thread::yield();  // all other items get done meanwhile
      late = true;
    }
    ++done;
  });
  EXPECT_TRUE(late);
}

}  // namespace
}  // namespace tenon
