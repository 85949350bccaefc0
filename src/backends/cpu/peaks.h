#pragma once
#include "backends/cpu/cpu_device.h"

namespace tenon {

struct PeakOptions {
  int attempts = 10;  ///< of each figure; the best counts
};

/// Takes about half a second. `device.threads` threads; rates of instructions that `device.features` lacks are 0.
MachinePeaks MeasurePeaks(const CpuDevice& device, const PeakOptions& options = {});

}  // namespace tenon
