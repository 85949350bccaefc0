#include "compile/memory_plan.h"

#include <gtest/gtest.h>

#include <random>

namespace tenon {
namespace {

bool Overlap(int64_t a, int64_t a_size, int64_t b, int64_t b_size) { return a < b + b_size && b < a + a_size; }

TEST(MemoryPlanTest, BuffersThatLiveTogetherNeverOverlap) {
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    std::vector<BufferLifetime> buffers(1 + random() % 40);
    int64_t total = 0;
    for (auto& buffer : buffers) {
      buffer.size_bytes = random() % 5000;
      buffer.first = static_cast<int>(random() % 30);
      buffer.last = buffer.first + static_cast<int>(random() % 5);
      total += buffer.size_bytes + 64;
    }
    const MemoryPlan plan = PlanMemory(buffers);
    EXPECT_LE(plan.arena_bytes, total);
    for (size_t i = 0; i < buffers.size(); ++i) {
      EXPECT_EQ(plan.offsets_bytes[i] % 64, 0);
      EXPECT_LE(plan.offsets_bytes[i] + buffers[i].size_bytes, plan.arena_bytes);
      for (size_t j = 0; j < i; ++j) {
        if (buffers[i].last < buffers[j].first || buffers[j].last < buffers[i].first) continue;
        EXPECT_FALSE(
            Overlap(plan.offsets_bytes[i], buffers[i].size_bytes, plan.offsets_bytes[j], buffers[j].size_bytes));
      }
    }
  }
}

TEST(MemoryPlanTest, AChainNeedsTwoBuffers) {
  std::vector<BufferLifetime> chain;
  for (int i = 0; i < 10; ++i) chain.push_back({640, i, i + 1});
  EXPECT_EQ(PlanMemory(chain).arena_bytes, 1280);
}

}  // namespace
}  // namespace tenon
