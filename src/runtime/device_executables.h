#pragma once
#include <memory>

#include "backends/cpu/cpu_device.h"
#include "backends/cpu/expanded_weights.h"
#include "backends/cuda/cuda_device.h"
#include "backends/cuda/cuda_weights.h"
#include "engine/program.h"
#include "runtime/executable.h"
#include "runtime/load.h"

namespace tenon {

/// What an executable is made of.
struct ExecutablePlan {
  const EngineProfile& profile;
  const std::map<std::string, std::string>& metadata;
  std::shared_ptr<const Program> program;
  int64_t weights_bytes;  ///< of all profiles of the engine
};

// One function per kind of device; load.cc calls the one that fits. The program is made for `device`.

std::shared_ptr<internal::Executable> NewCudaExecutable(const ExecutablePlan& plan, const CudaDevice& device,
                                                        const std::shared_ptr<CudaWeights>& weights);
std::shared_ptr<internal::Executable> NewCpuExecutable(const ExecutablePlan& plan, const CpuDevice& device,
                                                       const std::shared_ptr<ExpandedWeights>& expanded);

}  // namespace tenon
