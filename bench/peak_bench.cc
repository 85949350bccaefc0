// Peak rates of this machine (backends/cpu/peaks.h), best of 20: what every other figure is held against.
// Usage: peak_bench [threads]
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "backends/cpu/peaks.h"

int main(int argc, char** argv) {
  tenon::CpuDevice device = tenon::CpuDevice::Detect();
  if (argc > 1) device.threads = std::max(1, std::atoi(argv[1]));
  constexpr tenon::PeakOptions kOptions{.attempts = 20};
  const tenon::MachinePeaks peaks = tenon::MeasurePeaks(device, kOptions);
  fmt::print("{}\n{} threads, best of {}\n", device.Fingerprint(), peaks.threads, kOptions.attempts);
  const auto print = [](const char* name, double rate) {
    if (rate > 0) fmt::print("{:<28} {:>8.1f} G/s\n", name, rate / 1e9);
  };
  if (device.features.avx512) {
    tenon::CpuDevice narrow = device;
    narrow.features.avx512 = narrow.features.avx512_bf16 = narrow.features.avx512_vnni = false;
    print("FP32 AVX2 vfmadd231ps", tenon::MeasurePeaks(narrow, kOptions).fp32_ops);
  }
  print(device.features.avx512 ? "FP32 AVX-512 vfmadd231ps" : "FP32 AVX2 vfmadd231ps", peaks.fp32_ops);
  print("BF16 vdpbf16ps", peaks.half_ops);
  print("INT8 vpdpbusd", peaks.int8_ops);
  print("copy, memory", peaks.memory_bytes);
  print("copy, L2", peaks.cache_bytes);
  fmt::print("{:<28} {:>8.2f} us\n", "empty step", peaks.launch_us);
}
