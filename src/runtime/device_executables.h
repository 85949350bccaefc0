#pragma once
#include <memory>

#include "backends/cpu/cpu_device.h"
#include "backends/cuda/cuda_device.h"
#include "engine/program.h"
#include "runtime/executable.h"
#include "runtime/load.h"

namespace tenon {

// One function per kind of device; load.cc calls the one that fits. `plan` is one of the model's, made for `device`.

std::shared_ptr<const internal::Executable> NewCudaExecutable(const EngineModel& model,
                                                              std::shared_ptr<const Program> plan,
                                                              const CudaDevice& device);
std::shared_ptr<const internal::Executable> NewCpuExecutable(const EngineModel& model,
                                                             std::shared_ptr<const Program> plan,
                                                             const CpuDevice& device);

}  // namespace tenon
