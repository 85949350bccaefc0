#include "backends/cuda/graph_cache.h"

#include <gtest/gtest.h>

namespace tenon {
namespace {

TensorAddresses At(cuda::DevicePtr input) { return {.inputs = {input}, .outputs = {1000}}; }

TEST(GraphCache, FindsAGraphByAddressesAndSteps) {
  GraphCache<int> cache;
  cache.Slot(At(1), 5) = std::make_unique<int>(15);
  EXPECT_EQ(cache.Slot(At(1), 4), nullptr);
  EXPECT_EQ(cache.Slot(At(2), 5), nullptr);
  EXPECT_EQ(cache.Slot({.inputs = {1}, .outputs = {1001}}, 5), nullptr);
  ASSERT_NE(cache.Slot(At(1), 5), nullptr);
  EXPECT_EQ(*cache.Slot(At(1), 5), 15);
}

TEST(GraphCache, ForgetsTheAddressesUsedLongestAgo) {
  GraphCache<int> cache;
  constexpr auto kMost = static_cast<int>(GraphCache<int>::kMostAddresses);
  for (int i = 0; i < kMost; ++i) cache.Slot(At(static_cast<cuda::DevicePtr>(i)), 5) = std::make_unique<int>(i);
  ASSERT_NE(cache.Slot(At(0), 5), nullptr);  // now 1 is the oldest
  cache.Slot(At(99), 5) = std::make_unique<int>(99);
  EXPECT_NE(cache.Slot(At(0), 5), nullptr);
  EXPECT_NE(cache.Slot(At(2), 5), nullptr);
  EXPECT_NE(cache.Slot(At(99), 5), nullptr);
  EXPECT_EQ(cache.Slot(At(1), 5), nullptr);
}

TEST(GraphCache, ManyStepsOfOneSetPushNoOtherOut) {
  GraphCache<int> cache;
  cache.Slot(At(1), 5) = std::make_unique<int>(1);
  for (size_t steps = 0; steps < 100; ++steps) cache.Slot(At(2), steps) = std::make_unique<int>(2);
  EXPECT_NE(cache.Slot(At(1), 5), nullptr);
  EXPECT_NE(cache.Slot(At(2), 0), nullptr);
}

}  // namespace
}  // namespace tenon
