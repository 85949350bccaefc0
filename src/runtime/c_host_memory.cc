// Host memory of the C API (tenon.h).
#include <map>
#include <mutex>

#include "base/error.h"
#include "runtime/c_guard.h"
#include "runtime/c_handles.h"

namespace tenon::internal {
namespace {

/// What tenon_host_alloc gave and nobody has freed yet: an address that isn't here is an error and not a crash.
class HostBlocks {
 public:
  void* Add(std::unique_ptr<HostMemory> block) {
    void* data = block->data();
    const std::lock_guard lock(mutex_);
    blocks_.emplace(data, std::move(block));
    return data;
  }
  /// Null when it isn't there.
  std::unique_ptr<HostMemory> Take(void* data) {
    const std::lock_guard lock(mutex_);
    auto node = blocks_.extract(data);
    return node ? std::move(node.mapped()) : nullptr;
  }

 private:
  std::mutex mutex_;
  std::map<void*, std::unique_ptr<HostMemory>> blocks_;
};

HostBlocks& Blocks() {
  static auto* blocks = new HostBlocks;  // never destroyed: at the process's end the driver may be gone before it
  return *blocks;
}

}  // namespace
}  // namespace tenon::internal

using namespace tenon::internal;  // everything below is the C API

tenon_status tenon_host_alloc(const tenon_engine* engine, size_t size_bytes, void** memory) {
  return Guard([&] {
    Require(memory, "memory") = nullptr;
    const Executable& executable = Require(engine, "engine").first();
    if (size_bytes > PTRDIFF_MAX)
      tenon::ThrowInvalid({.what = "more host memory than there can be", .got = fmt::format("{} bytes", size_bytes)});
    *memory = Blocks().Add(executable.NewHostMemory(size_bytes));
  });
}

tenon_status tenon_host_free(void* memory) {
  return Guard([&] {
    if (memory && !Blocks().Take(memory))
      tenon::ThrowInvalid({.what = "memory that tenon_host_alloc didn't give, or that is freed already"});
  });
}
