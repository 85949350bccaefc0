#include "engine/program.h"

#include <cstring>

namespace tenon {

Blob Blob::Copy(std::span<const std::byte> bytes) {
  // A byte tensor is the one place that knows how to allocate aligned shared memory.
  Tensor memory(DType::kUInt8, {static_cast<int64_t>(bytes.size())});
  if (!bytes.empty()) std::memcpy(memory.raw(), bytes.data(), bytes.size());
  const auto keep = std::make_shared<Tensor>(memory);
  return {std::shared_ptr<const std::byte>(keep, keep->raw()), bytes.size()};
}

}  // namespace tenon
