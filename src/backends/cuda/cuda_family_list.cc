#include "backends/cuda/attention_family.h"
#include "backends/cuda/conv_family.h"
#include "backends/cuda/conv_transpose_family.h"
#include "backends/cuda/cuda_kernel.h"
#include "backends/cuda/gather_family.h"
#include "backends/cuda/host_family.h"
#include "backends/cuda/matmul_family.h"
#include "backends/cuda/norm_family.h"
#include "backends/cuda/pool_family.h"
#include "backends/cuda/reduce_family.h"
#include "backends/cuda/region_family.h"
#include "backends/cuda/resize_family.h"
#include "backends/cuda/softmax_family.h"
#include "backends/cuda/top_k_family.h"
#include "base/error.h"

namespace tenon {

std::span<const CudaKernelFamily* const> CudaKernelFamilies() {
  static const cuda::ConvFamily conv;
  static const cuda::ConvTransposeFamily conv_transpose;
  static const cuda::MatMulFamily matmul;
  static const cuda::BatchedMatMulFamily matmul_batched;
  static const cuda::AttentionFamily attention;
  static const cuda::RegionFamily region;
  static const cuda::PoolFamily pool;
  static const cuda::ResizeFamily resize;
  static const cuda::ReduceFamily reduce;
  static const cuda::SoftmaxFamily softmax;
  static const cuda::NormFamily norm;
  static const cuda::GatherFamily gather;
  static const cuda::TopKFamily top_k;
  static const cuda::HostFamily host;
  static const CudaKernelFamily* const families[] = {
      &conv,   &conv_transpose, &matmul, &matmul_batched, &attention,  //
      &region, &pool,           &resize,                               //
      &reduce, &softmax,        &norm,   &gather,         &top_k,      //
      &host,
  };
  return families;
}

void CheckNoParameters(std::string_view family, const std::string& tactic) {
  if (tactic.empty()) return;
  ThrowInvalid({.what = fmt::format("not a tactic of the CUDA family {}", family),
                .got = "'" + tactic + "'",
                .expected = "no parameters"});
}

const CudaKernelFamily* FindCudaKernelFamily(std::string_view name) {
  for (const CudaKernelFamily* family : CudaKernelFamilies()) {
    if (family->name() == name) return family;
  }
  return nullptr;
}

}  // namespace tenon
