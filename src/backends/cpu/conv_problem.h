#pragma once
#include <optional>
#include <string>
#include <vector>

#include "backends/cpu/activation.h"
#include "backends/cpu/cpu_features.h"
#include "backends/cpu/tile_epilogue.h"
#include "ir/types.h"

namespace tenon::cpu {

/// A static strided view of N x C x H x W elements: element (n, c, y, x) lies at
/// base + offset + n * n_stride + c * c_stride + y * h_stride + x * w_stride, all in bytes. The base comes at run time.
struct View {
  DType dtype = DType::kFloat32;
  int64_t offset = 0;
  int64_t n_stride = 0, h_stride = 0, w_stride = 0, c_stride = 0;

  /// Byte offset of channel c of pixel (y, x) of image n.
  int64_t OffsetOf(int64_t n, int64_t c, int64_t y, int64_t x) const {
    return offset + n * n_stride + c * c_stride + y * h_stride + x * w_stride;
  }
};

/// A further place to which every output is written. scale 2 is a nearest upsample by 2: output pixel (y, x) goes to
/// (2y, 2x), (2y, 2x + 1), (2y + 1, 2x) and (2y + 1, 2x + 1) of `view`.
struct ExtraStore {
  View view;
  int scale = 1;
};

/// bias (always; zero where there is none), activation, residual, activation after it, conversion, stores.
struct ConvEpilogue {
  ActivationSpec activation;
  std::optional<View> residual;
  ActivationSpec post_activation;
  std::vector<ExtraStore> extra_stores;
  /// Output channels have scales of their own (PackConv): quantization.y.scale / factor. All stores are u8.
  bool has_factors = false;
};

/// A 2-D convolution (cross-correlation, as ONNX's Conv) on views. Output pixel (y, x) reads input row
/// y * stride_h - pad_top + kh * dilation_h, zero outside [0, ih), and columns likewise. Accumulates in FP32.
/// Pads at bottom and right are implied by oh and ow; pads may be negative (a crop).
///
/// INT8: sum of (x - zero point) * w, exact in INT32, zero outside the image as well; then in FP32
/// fma(sum, input scale * weight scale of the channel, bias) and the epilogue.
struct ConvProblem {
  int n = 1, ic = 1, ih = 1, iw = 1, oc = 1, oh = 1, ow = 1, kh = 1, kw = 1;
  int stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1, pad_top = 0, pad_left = 0, groups = 1;
  View input;   ///< FP32 or BF16, any channel stride; INT8: u8, channel stride 1
  View output;  ///< FP32, BF16 or u8, channel stride equal to the element size
  ConvEpilogue epilogue;
  /// kBFloat16 multiplies BF16 inputs with weights rounded to BF16; FP32 inputs are multiplied in FP32 all the same.
  /// kInt8 multiplies u8 inputs with s8 weights.
  DType compute = DType::kFloat32;
  Quantization quantization;

  int group_ic() const { return ic / groups; }
  int group_oc() const { return oc / groups; }
  bool is_int8() const { return compute == DType::kInt8; }
  bool is_depthwise() const { return groups == ic && groups == oc && groups > 1; }
  int64_t WeightCount() const;
  double Flops() const;
};

/// Kernel rows or columns [begin, end) that lie inside the image.
struct KernelRange {
  int begin = 0;
  int end = 0;

  int size() const { return end > begin ? end - begin : 0; }
  friend bool operator==(const KernelRange&, const KernelRange&) = default;
};

/// Kernel positions k for which start + k * dilation is in [0, size).
KernelRange ValidKernelRange(int64_t start, int kernel, int dilation, int size);

/// Why no kernel of this backend can run the problem; empty when one can.
std::string WhyUnsupported(const ConvProblem& problem, const CpuFeatures& features);

/// Base addresses of one run.
struct ConvArgs {
  const std::byte* input = nullptr;
  const std::byte* packed = nullptr;  ///< weights and bias as the kernel's own Pack laid them out; best 64-byte aligned
  const std::byte* residual = nullptr;
  std::byte* outputs[kMaxStoreTargets] = {};  ///< the output, then the extra stores in their order
};

/// SiLU in 16-bit integers, where that is all that happens between integer sums and bytes.
std::optional<WordSilu> WordSiluOf(const ConvProblem& problem);
/// What the multipliers and biases of integer sums are packed times: a power of two.
float SumScale(const ConvProblem& problem);
/// The epilogue of the register tiles of `problem`.
TileEpilogue MakeTileEpilogue(const ConvProblem& problem);
/// Sets residual and targets of `tile` for the tile that starts at channel oc of output pixel (y, x) of image n.
void SetOutputs(const ConvProblem& problem, const ConvArgs& args, int64_t n, int64_t oc, int64_t y, int64_t x,
                TileArgs& tile);

}  // namespace tenon::cpu
