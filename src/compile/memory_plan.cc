#include "compile/memory_plan.h"

#include <algorithm>
#include <numeric>

namespace tenon {
namespace {

using IsBefore = std::function<bool(size_t, size_t)>;

bool IsDoneBefore(const PlannedBuffer& buffer, const PlannedBuffer& other, const IsBefore& is_before) {
  return std::all_of(buffer.users.begin(), buffer.users.end(), [&](size_t step) {
    return std::all_of(other.users.begin(), other.users.end(), [&](size_t later) { return is_before(step, later); });
  });
}

}  // namespace

MemoryPlan PlanMemory(const std::vector<PlannedBuffer>& buffers, const IsBefore& is_before) {
  constexpr int64_t kAlignment = 64;
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return buffers[a].size_bytes > buffers[b].size_bytes; });

  MemoryPlan plan;
  plan.offsets_bytes.resize(buffers.size());
  std::vector<size_t> placed;  // by offset
  for (const size_t current : order) {
    const int64_t size = (buffers[current].size_bytes + kAlignment - 1) / kAlignment * kAlignment;
    int64_t offset = 0;
    for (const size_t other : placed) {
      if (IsDoneBefore(buffers[other], buffers[current], is_before) ||
          IsDoneBefore(buffers[current], buffers[other], is_before))
        continue;
      const int64_t start = plan.offsets_bytes[other];
      if (offset + size <= start) break;
      offset = std::max(offset, (start + buffers[other].size_bytes + kAlignment - 1) / kAlignment * kAlignment);
    }
    plan.offsets_bytes[current] = offset;
    plan.arena_bytes = std::max(plan.arena_bytes, offset + size);
    const auto position = std::upper_bound(placed.begin(), placed.end(), offset, [&](int64_t value, size_t other) {
      return value < plan.offsets_bytes[other];
    });
    placed.insert(position, current);
  }
  return plan;
}

}  // namespace tenon
