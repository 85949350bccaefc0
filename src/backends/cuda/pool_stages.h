#pragma once
#include "backends/cuda/cuda_kernel.h"
#include "backends/operands.h"

namespace tenon::cuda {

/// Pools of several stages in one kernel (pool_stages.cu). Empty when there is one for the step, else why not.
std::string StagesObstacle(const StepProblem& step, const WindowGeometry& geometry, int64_t stages);
KernelLaunch LowerStages(const StepProblem& step, const WindowGeometry& geometry, int64_t stages,
                         const CudaDevice& device);

}  // namespace tenon::cuda
