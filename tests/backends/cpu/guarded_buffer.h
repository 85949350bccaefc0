#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

#include "base/error.h"

namespace tenon::cpu {

/// Memory that ends at an unreadable page: a read or write behind it is a crash, not luck.
class GuardedBuffer {
 public:
  GuardedBuffer(size_t size, int fill) : size_(size) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    mapped_ = (size + page - 1) / page * page + 2 * page;
    void* memory = mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TENON_CHECK(memory != MAP_FAILED);
    base_ = static_cast<std::byte*>(memory);
    TENON_CHECK(mprotect(base_ + page, mapped_ - 2 * page, PROT_READ | PROT_WRITE) == 0);
    data_ = base_ + mapped_ - page - size;
    std::memset(base_ + page, fill, mapped_ - 2 * page);
  }
  ~GuardedBuffer() { munmap(base_, mapped_); }
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  size_t size_, mapped_ = 0;
  std::byte* base_ = nullptr;
  std::byte* data_ = nullptr;
};

}  // namespace tenon::cpu
