#include "compile/memory_plan.h"

#include <gtest/gtest.h>

#include <random>

namespace tenon {
namespace {

bool Overlap(int64_t a, int64_t a_size, int64_t b, int64_t b_size) { return a < b + b_size && b < a + a_size; }

bool DoesEachBefore(const PlannedBuffer& a, const PlannedBuffer& b,
                    const std::function<bool(size_t, size_t)>& is_before) {
  for (const size_t step : a.users)
    for (const size_t other : b.users)
      if (!is_before(step, other)) return false;
  return true;
}

TEST(MemoryPlanTest, BuffersThatLiveTogetherNeverOverlap) {
  std::mt19937 random(1);
  for (int round = 0; round < 100; ++round) {
    // Odd rounds: of the steps that are near each other none waits for the other, as branches of a network.
    const size_t apart = round % 2 == 0 ? 0 : 3;
    const auto is_before = [&](size_t step, size_t other) { return step + apart < other; };
    std::vector<PlannedBuffer> buffers(1 + random() % 40);
    int64_t total = 0;
    for (auto& buffer : buffers) {
      buffer.size_bytes = random() % 5000;
      const size_t first = random() % 30, count = 1 + random() % 5;
      for (size_t i = 0; i < count; ++i) buffer.users.push_back(first + i);
      total += buffer.size_bytes + 64;
    }
    const MemoryPlan plan = PlanMemory(buffers, is_before);
    EXPECT_LE(plan.arena_bytes, total);
    for (size_t i = 0; i < buffers.size(); ++i) {
      EXPECT_EQ(plan.offsets_bytes[i] % 64, 0);
      EXPECT_LE(plan.offsets_bytes[i] + buffers[i].size_bytes, plan.arena_bytes);
      for (size_t j = 0; j < i; ++j) {
        if (DoesEachBefore(buffers[i], buffers[j], is_before) || DoesEachBefore(buffers[j], buffers[i], is_before))
          continue;
        EXPECT_FALSE(
            Overlap(plan.offsets_bytes[i], buffers[i].size_bytes, plan.offsets_bytes[j], buffers[j].size_bytes));
      }
    }
  }
}

TEST(MemoryPlanTest, AChainNeedsTwoBuffers) {
  std::vector<PlannedBuffer> chain;
  for (size_t i = 0; i < 10; ++i) chain.push_back({640, {i, i + 1}});
  EXPECT_EQ(PlanMemory(chain, std::less<>()).arena_bytes, 1280);
}

}  // namespace
}  // namespace tenon
