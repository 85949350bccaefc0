#include "backends/list/backend_list.h"

#include "backends/cpu/cpu_device.h"
#include "backends/cuda/cuda_device.h"
#include "base/error.h"

namespace tenon {

std::shared_ptr<const Device> DeviceOfPlan(const Program& program) {
  if (program.device == "cpu") return CpuDevice::OfPlan(program).Share();
  if (program.device == "cuda") return CudaDevice::OfPlan(program).Share();
  ThrowInvalid({.what = "a plan for a kind of device that this version of Tenon doesn't know", .got = program.device});
}

}  // namespace tenon
