#include "backends/cuda/cuda_weights.h"

#include <cstring>

namespace tenon {

CudaWeights::~CudaWeights() {
  const cuda::CurrentContext current(*gpu_);
  buffers_.clear();
}

std::vector<cuda::DevicePtr> CudaWeights::Add(const std::vector<std::span<const std::byte>>& pieces) {
  std::map<Place, size_t> offsets;  // of new ones
  size_t bytes = 0;
  for (const auto& piece : pieces) {
    const Place place{piece.data(), piece.size()};
    if (!known_.contains(place) && offsets.emplace(place, bytes).second) bytes += cuda::RoundUpToAlignment(piece.size());
  }
  std::vector<std::byte> image(bytes);
  for (const auto& [place, offset] : offsets) {
    if (place.second > 0) std::memcpy(image.data() + offset, place.first, place.second);
  }
  const cuda::DeviceBuffer& buffer = buffers_.emplace_back(gpu_->driver(), bytes, "weights");
  if (bytes > 0) buffer.CopyFrom(image);
  for (const auto& [place, offset] : offsets) known_[place] = buffer.address() + offset;
  std::vector<cuda::DevicePtr> addresses;
  for (const auto& piece : pieces) addresses.push_back(known_.at({piece.data(), piece.size()}));
  return addresses;
}

}  // namespace tenon
