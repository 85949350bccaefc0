#include "backends/cpu/aligned_buffer.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "base/memory.h"

namespace tenon {
namespace {

constexpr int64_t kHugePage = 2 << 20;

}  // namespace

AlignedBuffer::AlignedBuffer(int64_t size_bytes, std::string_view what) : size_bytes_(size_bytes) {
  if (size_bytes == 0) return;
  CheckMemory(what, size_bytes);
  const bool huge = size_bytes >= kHugePage;
  const size_t alignment = huge ? kHugePage : 64;
  const size_t rounded = (static_cast<size_t>(size_bytes) + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded);
  if (!memory) ThrowInvalid("out of memory: {} bytes for {}", size_bytes, what);
  if (huge) madvise(memory, rounded, MADV_HUGEPAGE);
  std::memset(memory, 0, rounded);  // pages are there before the first run is timed
  data_.reset(static_cast<std::byte*>(memory));
  allocated_bytes_ = static_cast<int64_t>(rounded);
}

void AlignedBuffer::Free::operator()(std::byte* data) const { std::free(data); }

}  // namespace tenon
