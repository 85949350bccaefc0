#pragma once
#include <cstdint>

namespace tenon::cuda {

/// A view as the reference reads it: strides in bytes. type: 0 f32, 1 f16, 2 bf16, 3 u8.
struct ReferenceView {
  uint64_t base = 0;
  int64_t n = 0, h = 0, w = 0, c = 0;
  int type = 0, scale = 1;
};

/// Parameter of check_conv: one thread computes an output element in FP64 and compares it at all its places.
struct CheckParams {
  int n, ic, ih, iw, oc, oh, ow, kh, kw, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left, groups;
  int is_int8, activation, post, has_residual, targets, compute;
  float alpha, beta;
  float x_scale, x_zero, residual_scale, residual_zero, y_scale, y_zero;
  ReferenceView input, residual, target[4];
  uint64_t weights, bias, weight_scales;  ///< f32
  double relative, per_product;           ///< |error| <= relative * |y| + per_product * sum |x * w| + 1e-6
  uint64_t report;  ///< {u32 worst error / allowed as float bits, u32 bad elements, u32 off by one}
};

/// Parameter of fill: random elements; u8 over their whole range, floats in [-1, 1).
struct FillParams {
  uint64_t to;
  int64_t count;
  int type;
  unsigned seed;
};

/// Source text of both; independent of the kernels under test.
extern const char* const kReferenceKernels;

}  // namespace tenon::cuda
