#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace tenon {

/// A buffer and the steps that read or write it.
struct PlannedBuffer {
  int64_t size_bytes = 0;
  std::vector<size_t> users;
};

struct MemoryPlan {
  std::vector<int64_t> offsets_bytes;  ///< one per buffer, 64-byte aligned
  int64_t arena_bytes = 0;
};

/// Packs buffers into one arena so that no two overlap unless all users of one are done before those of the other
/// begin: `is_before(step, other)` says that a step is. Greedy by size, each into the lowest gap that holds it
/// (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020).
MemoryPlan PlanMemory(const std::vector<PlannedBuffer>& buffers,
                      const std::function<bool(size_t step, size_t other)>& is_before);

}  // namespace tenon
