#pragma once
#include <string>

#include "backends/cpu/cpu_features.h"

namespace tenon {

/// A CPU as a device to compile for.
struct CpuDevice {
  cpu::CpuFeatures features;
  std::string model;  ///< brand string, family, model, stepping
  int threads = 1;    ///< that a context will run with; tactics are chosen for it

  /// This machine, with all its cores.
  static CpuDevice Detect();
  /// Identifies the class of machines that a plan fits: model and features, not the thread count.
  std::string Fingerprint() const;
};

}  // namespace tenon
