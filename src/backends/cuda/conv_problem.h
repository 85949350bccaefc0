#pragma once
#include <optional>
#include <string>
#include <vector>

#include "ir/types.h"
#include "ops/activation.h"
#include "ops/quantization.h"

namespace tenon::cuda {

/// A strided view of N x C x H x W elements in device memory: element (n, c, y, x) lies at
/// base + n * n_stride + c * c_stride + y * h_stride + x * w_stride, in bytes. The base comes at run time.
struct View {
  DType dtype = DType::kFloat16;
  int64_t n_stride = 0, h_stride = 0, w_stride = 0, c_stride = 0;
  int base_alignment = 16;  ///< bytes that divide the base address; a power of two

  /// Bytes (at most 16) that divide the address of channel 0 of every pixel.
  int Alignment() const;
};

/// A place that every output is written to. Scale 2 is a nearest upsample by 2: output pixel (y, x) goes to the four
/// pixels (2y, 2x) to (2y + 1, 2x + 1) of `view`.
struct StoreTarget {
  View view;
  int scale = 1;
};

struct ActivationSpec {
  Activation kind = Activation::kNone;
  float alpha = 0, beta = 0;
};

inline constexpr int kMaxStoreTargets = 4;

/// A 2-D convolution on views, as ops/conv.h and ops/epilogue.h define it: FP32 sums of products in `compute`
/// (INT32 with kInt8), y = post(activation(sum + bias) + residual), stored to all targets.
struct ConvProblem {
  int n = 1, ic = 1, ih = 1, iw = 1, oc = 1, oh = 1, ow = 1, kh = 1, kw = 1;
  int stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1, pad_top = 0, pad_left = 0, groups = 1;
  DType compute = DType::kFloat16;   ///< kFloat32 (no TF32), kFloat16, kBFloat16, kInt8
  View input;                        ///< kInt8: u8
  std::vector<StoreTarget> targets;  ///< 1 to kMaxStoreTargets, of one element type, channels next to each other
  std::optional<View> residual;
  ActivationSpec activation;
  Activation post = Activation::kNone;
  Quantization quantization;

  int group_ic() const { return ic / groups; }
  int group_oc() const { return oc / groups; }
  int taps() const { return kh * kw; }
  bool is_int8() const { return compute == DType::kInt8; }
  bool is_depthwise() const { return groups > 1 && groups == ic && groups == oc; }
  int element_bytes() const { return is_int8() ? 1 : compute == DType::kFloat32 ? 4 : 2; }
  /// Output pixels of the batch: rows of the matrix product.
  int64_t rows() const { return int64_t{n} * oh * ow; }
  double Flops() const { return 2.0 * static_cast<double>(rows()) * oc * group_ic() * taps(); }
};

/// Why no kernel of this backend can run the problem on a GPU of compute capability `capability` (90 for 9.0); empty
/// when one can.
std::string WhyUnsupported(const ConvProblem& problem, int capability);

/// A 1x1 convolution over dense pixels is one row of pixels: its kernels then compute no coordinates. Other problems
/// come back unchanged.
ConvProblem Flatten(const ConvProblem& problem);

/// Whether the kernels copy the input in whole pieces: neighbouring channels of the type that is multiplied, aligned
/// to 4 bytes and more. Else they gather it element by element.
bool IsCopyable(const ConvProblem& problem);

/// Whether rows of `channels` output channels, one behind the other, can be read and written eight at a time by vector
/// instructions.
bool HasWholeEights(const ConvProblem& problem, int channels);

}  // namespace tenon::cuda
