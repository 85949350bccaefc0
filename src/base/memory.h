#pragma once
#include <cstdint>
#include <string_view>

namespace tenon {

/// Bytes that this process can still take without the system ending some process: the smaller of Linux's MemAvailable
/// and what the cgroup leaves; INT64_MAX where neither is known.
int64_t AvailableMemoryBytes();

/// Throws Error(kUnsupportedDevice) when `bytes` more don't fit in memory. Linux grants almost any allocation and ends
/// the process at the first touch: so large allocations ask here first. Small ones (below 64 MiB) aren't looked at.
void CheckMemory(std::string_view what, int64_t bytes);

}  // namespace tenon
