#pragma once
#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "backends/cuda/driver_api.h"

namespace tenon {

/// Where a run's tensors lie in the GPU's memory: what a recorded graph's kernels have as parameters.
struct TensorAddresses {
  std::vector<cuda::DevicePtr> inputs, outputs;
  auto operator<=>(const TensorAddresses&) const = default;
};

/// Graphs (G) by where the tensors lie and how many steps they hold. A caller that takes turns among a few buffers
/// finds each of their graphs again; of more than kMostAddresses the least recently used goes, with all its graphs, so
/// that a caller with new buffers every time doesn't fill the memory.
template <class G>
class GraphCache {
 public:
  static constexpr size_t kMostAddresses = 16;

  /// Empty when there is no such graph yet: then the caller makes it there. Valid until the next call.
  std::unique_ptr<G>& Slot(const TensorAddresses& addresses, size_t steps) {
    if (!sets_.contains(addresses) && sets_.size() == kMostAddresses) {
      sets_.erase(std::min_element(sets_.begin(), sets_.end(),
                                   [](const auto& a, const auto& b) { return a.second.last_use < b.second.last_use; }));
    }
    Set& set = sets_[addresses];
    set.last_use = ++uses_;
    return set.graphs[steps];
  }

 private:
  struct Set {
    uint64_t last_use = 0;
    std::map<size_t, std::unique_ptr<G>> graphs;
  };
  std::map<TensorAddresses, Set> sets_;
  uint64_t uses_ = 0;
};

}  // namespace tenon
