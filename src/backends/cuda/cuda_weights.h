#pragma once
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "backends/cuda/driver.h"

namespace tenon {

/// Constants in the GPU's memory, each once: programs of one engine share what lies at the same place in the host's
/// (ShareEqualData). Filled while an engine is loaded, by one thread; then immutable.
class CudaWeights {
 public:
  explicit CudaWeights(std::shared_ptr<const cuda::GpuContext> gpu) : gpu_(std::move(gpu)) {}
  ~CudaWeights();
  CudaWeights(const CudaWeights&) = delete;
  CudaWeights& operator=(const CudaWeights&) = delete;

  /// Puts those that aren't there yet into one new buffer. Gives the address of each; 256-byte aligned. Pieces must
  /// stay where they are in the host's memory while programs are added.
  std::vector<cuda::DevicePtr> Add(const std::vector<std::span<const std::byte>>& pieces);

 private:
  using Place = std::pair<const std::byte*, size_t>;
  std::shared_ptr<const cuda::GpuContext> gpu_;
  std::map<Place, cuda::DevicePtr> known_;
  std::vector<cuda::DeviceBuffer> buffers_;
};

}  // namespace tenon
