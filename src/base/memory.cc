#include "base/memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

#include "base/error.h"

namespace tenon {
namespace {

constexpr int64_t kUnknown = std::numeric_limits<int64_t>::max();

/// The number in a file of one number; kUnknown for "max" and where there is no such file.
int64_t ReadNumber(const char* path) {
  std::ifstream file(path);
  int64_t value = 0;
  return file >> value ? value : kUnknown;
}

/// The value of a "KEY VALUE..." line; kUnknown where there is none.
int64_t ReadKey(const char* path, std::string_view wanted) {
  std::ifstream file(path);
  std::string key, rest;
  for (int64_t value = 0; file >> key >> value; std::getline(file, rest)) {
    if (key == wanted) return value;
  }
  return kUnknown;
}

int64_t MemAvailable() {
  const int64_t kib = ReadKey("/proc/meminfo", "MemAvailable:");
  return kib == kUnknown ? kUnknown : kib * 1024;
}

/// What is left of the cgroup's limit, version 2 or 1, as a container sees its own. Only what can't be taken back
/// counts as used: a group full of cached files has room.
int64_t CgroupAvailable() {
  constexpr struct {
    const char *limit, *statistics, *used;
  } kFiles[] = {{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.stat", "anon"},
                {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.stat", "total_rss"}};
  for (const auto& [limit_file, statistics, key] : kFiles) {
    const int64_t limit = ReadNumber(limit_file), used = ReadKey(statistics, key);
    if (limit != kUnknown && used != kUnknown) return std::max<int64_t>(0, limit - used);
  }
  return kUnknown;
}

}  // namespace

int64_t AvailableMemoryBytes() { return std::min(MemAvailable(), CgroupAvailable()); }

void CheckMemory(std::string_view what, int64_t bytes) {
  constexpr int64_t kSmall = int64_t{64} << 20;
  if (bytes < kSmall) return;
  const int64_t available = AvailableMemoryBytes();
  if (bytes <= available) return;
  constexpr double kGiB = 1 << 30;
  ThrowUnsupported(
      {.what = fmt::format("not enough memory for {}", what),
       .got = fmt::format("{:.1f} GiB wanted", static_cast<double>(bytes) / kGiB),
       .expected = fmt::format("at most {:.1f} GiB, which are free", static_cast<double>(available) / kGiB)});
}

}  // namespace tenon
