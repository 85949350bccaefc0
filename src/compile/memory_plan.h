#pragma once
#include <cstdint>
#include <vector>

namespace tenon {

/// A buffer that is needed from step `first` to step `last`, both included.
struct BufferLifetime {
  int64_t size_bytes = 0;
  int first = 0, last = 0;
};

struct MemoryPlan {
  std::vector<int64_t> offsets_bytes;  ///< one per buffer, 64-byte aligned
  int64_t arena_bytes = 0;
};

/// Packs buffers into one arena so that no two that live at the same time overlap. Greedy by size, each into the
/// lowest gap that holds it (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020).
MemoryPlan PlanMemory(const std::vector<BufferLifetime>& buffers);

}  // namespace tenon
