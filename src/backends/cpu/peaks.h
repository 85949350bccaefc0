#pragma once
#include "backends/cpu/cpu_device.h"

namespace tenon {

/// What this machine reaches at best, measured just now with all threads: what every other rate is held against.
/// Never cached: on a shared host the peaks of an hour ago are no measure of now.
struct MachinePeaks {
  int threads = 1;
  // Operations per second (a multiply-add counts two) of independent chains in registers; 0 where the CPU lacks them.
  double fp32_ops = 0;  ///< vfmadd231ps in the widest vectors
  double bf16_ops = 0;  ///< vdpbf16ps
  double int8_ops = 0;  ///< vpdpbusd
  // Bytes per second read plus bytes written by memcpy.
  double memory_bytes = 0;  ///< blocks far larger than the caches
  double cache_bytes = 0;   ///< blocks that stay in each core's L2
  double launch_us = 0;     ///< an empty step: handing one item to each thread and waiting for all
};

struct PeakOptions {
  int attempts = 10;  ///< of each figure; the best counts
};

/// Takes about half a second. `device.threads` threads; rates of instructions that `device.features` lacks are 0.
MachinePeaks MeasurePeaks(const CpuDevice& device, const PeakOptions& options = {});

}  // namespace tenon
