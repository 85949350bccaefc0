#include "backends/cuda/conv_family.h"
#include "backends/cuda/cuda_kernel.h"
#include "backends/cuda/host_family.h"
#include "backends/cuda/pool_family.h"
#include "backends/cuda/region_family.h"

namespace tenon {

std::span<const CudaKernelFamily* const> CudaKernelFamilies() {
  static const cuda::ConvFamily conv;
  static const cuda::RegionFamily region;
  static const cuda::PoolFamily pool;
  static const cuda::HostFamily host;
  static const CudaKernelFamily* const families[] = {&conv, &region, &pool, &host};
  return families;
}

const CudaKernelFamily* FindCudaKernelFamily(std::string_view name) {
  for (const CudaKernelFamily* family : CudaKernelFamilies()) {
    if (family->name() == name) return family;
  }
  return nullptr;
}

}  // namespace tenon
