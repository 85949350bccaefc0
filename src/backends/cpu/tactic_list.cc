#include "backends/cpu/tactic_list.h"

#include "backends/cpu/attention_family.h"
#include "backends/cpu/conv_family.h"
#include "backends/cpu/gather_family.h"
#include "backends/cpu/matmul_family.h"
#include "backends/cpu/pool_family.h"
#include "backends/cpu/quantize_image_family.h"
#include "backends/cpu/reduce_family.h"
#include "backends/cpu/reference_family.h"
#include "backends/cpu/region_family.h"
#include "backends/cpu/resize_family.h"
#include "backends/cpu/row_families.h"
#include "backends/cpu/winograd_family.h"

namespace tenon {

std::span<const CpuKernelFamily* const> CpuKernelFamilies() {
  static const DepthwiseConvFamily conv_depthwise;
  static const DirectConvFamily conv_direct;
  static const WinogradConvFamily conv_winograd_f2(cpu::WinogradForm::kF2), conv_winograd_f4(cpu::WinogradForm::kF4),
      conv_winograd_f4_words(cpu::WinogradForm::kF4Words), conv_winograd_f4_stride2(cpu::WinogradForm::kF4Stride2);
  static const TransposedConvFamily conv_transposed;
  static const MatMulFamily matmul;
  static const AttentionFamily attention;
  static const QuantizeImageFamily quantize_image;
  static const RegionFamily region;
  static const PoolFamily pool;
  static const ResizeFamily resize;
  static const ReduceFamily reduce;
  static const SoftmaxFamily softmax;
  static const LayerNormFamily layer_norm;
  static const GatherFamily gather;
  static const ReferenceFamily reference;
  static const CpuKernelFamily* const families[] = {
      &conv_depthwise,
      &conv_direct,
      &conv_winograd_f2,
      &conv_winograd_f4,
      &conv_winograd_f4_words,
      &conv_winograd_f4_stride2,
      &conv_transposed,
      &matmul,
      &attention,
      &quantize_image,
      &region,
      &pool,
      &resize,
      &reduce,
      &softmax,
      &layer_norm,
      &gather,
      &reference,
  };
  return families;
}

const CpuKernelFamily* FindCpuKernelFamily(std::string_view name) {
  for (const CpuKernelFamily* family : CpuKernelFamilies()) {
    if (family->name() == name) return family;
  }
  return nullptr;
}

}  // namespace tenon
