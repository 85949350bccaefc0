#include "gpu/reference_kernels.h"

namespace tenon::cuda {

const char* const kReferenceKernels = R"CUDA(
#include "ptx.cuh"
struct View { uint64 base; int64 n, h, w, c; int type, scale; };
struct CheckParams {
  int n, ic, ih, iw, oc, oh, ow, kh, kw, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left, groups;
  int is_int8, activation, post, has_residual, targets, compute;
  float alpha, beta;
  float x_scale, x_zero, residual_scale, residual_zero, y_scale, y_zero;
  View input, residual, target[4];
  uint64 weights, bias, weight_scales;
  double relative, per_product;
  uint64 report;
};
struct FillParams { uint64 to; int64 count; int type; unsigned seed; };

__device__ float half_value(unsigned short bits) {
  return ptx::UnpackFloat16s(bits).x;
}
__device__ unsigned short half_bits(float f) {
  return (unsigned short)ptx::PackFloat16s(f, 0.f);
}
__device__ unsigned short bfloat_bits(float f) {
  unsigned u = __float_as_uint(f); return (unsigned short)((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}
__device__ float load(const View& v, int n, int c, int y, int x) {
  const char* p = (const char*)v.base + n * v.n + c * v.c + y * v.h + x * v.w;
  if (v.type == 0) return *(const float*)p;
  if (v.type == 1) return half_value(*(const unsigned short*)p);
  if (v.type == 2) return __uint_as_float((unsigned)*(const unsigned short*)p << 16);
  return *(const unsigned char*)p;
}
__device__ double rounded(int compute, float x) {
  if (compute == 1) return half_value(half_bits(x));
  if (compute == 2) return __uint_as_float((unsigned)bfloat_bits(x) << 16);
  return x;
}
__device__ double activate(int kind, double x, double a, double b) {
  double s = 1.0 / (1.0 + exp(-x));
  switch (kind) {
    case 1: return x < 0 ? 0 : x;
    case 2: return x < 0 ? a * x : x;
    case 3: return fmin(fmax(x, a), b);
    case 4: return x * s;
    case 5: return s;
    case 6: return fmin(fmax(a * x + b, 0.0), 1.0);
    case 7: return x * fmin(fmax(x / 6 + 0.5, 0.0), 1.0);
    case 8: return tanh(x);
    case 9: return 0.5 * x * (1 + erf(x / sqrt(2.0)));
    case 10: return 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
    case 11: return x * tanh(x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)));
    case 12: return x < 0 ? a * expm1(x) : x;
  }
  return x;
}
extern "C" __global__ void check_conv(const __grid_constant__ CheckParams p) {
  int64 i = (int64)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= (int64)p.n * p.oc * p.oh * p.ow) return;
  int oc = i % p.oc; i /= p.oc;
  int x = i % p.ow; i /= p.ow;
  int y = i % p.oh, n = i / p.oh;
  int gic = p.ic / p.groups, g = oc / (p.oc / p.groups);
  const float* w = (const float*)p.weights + (int64)oc * gic * p.kh * p.kw;
  double sum = 0, magnitude = 0;
  for (int ic = 0; ic < gic; ic++)
    for (int kh = 0; kh < p.kh; kh++)
      for (int kw = 0; kw < p.kw; kw++) {
        int iy = y * p.stride_h - p.pad_top + kh * p.dilation_h, ix = x * p.stride_w - p.pad_left + kw * p.dilation_w;
        if (iy < 0 || ix < 0 || iy >= p.ih || ix >= p.iw) continue;
        double v = load(p.input, n, g * gic + ic, iy, ix);
        if (p.is_int8) v -= p.x_zero; else v = rounded(p.compute, v);
        double t = v * rounded(p.is_int8 ? 0 : p.compute, w[(ic * p.kh + kh) * p.kw + kw]);
        sum += t; magnitude += fabs(t);
      }
  double bias = ((const float*)p.bias)[oc], r;
  if (p.is_int8) r = fmaf((float)sum, p.x_scale * ((const float*)p.weight_scales)[oc], (float)bias);
  else r = sum + bias;
  r = activate(p.activation, r, p.alpha, p.beta);
  if (p.has_residual) {
    double v = load(p.residual, n, oc, y, x);
    r += p.residual.type == 3 ? (v - p.residual_zero) * p.residual_scale : v;
  }
  r = activate(p.post, r, 0, 0);
  unsigned* report = (unsigned*)p.report;
  for (int t = 0; t < p.targets; t++) {
    const View& v = p.target[t];
    for (int k = 0; k < v.scale * v.scale; k++) {
      float got = load(v, n, oc, y * v.scale + k / v.scale, x * v.scale + k % v.scale);
      if (v.type == 3) {
        double want = fmin(fmax(rint(r / p.y_scale) + p.y_zero, 0.0), 255.0), off = fabs(got - want);
        if (off > 1) atomicAdd(report + 1, 1u);
        else if (off > 0) atomicAdd(report + 2, 1u);
        continue;
      }
      double error = fabs((double)got - r), allowed = p.relative * fabs(r) + p.per_product * magnitude + 1e-6;
      float ratio = (float)(error / allowed);
      if (!(ratio <= 1.f)) atomicAdd(report + 1, 1u);
      if (ratio >= 0) atomicMax(report, __float_as_uint(ratio));
    }
  }
}
extern "C" __global__ void fill(const __grid_constant__ FillParams p) {
  int64 i = (int64)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= p.count) return;
  unsigned h = (unsigned)i * 2654435761u ^ (unsigned)(i >> 32) * 40503u ^ p.seed * 0x9e3779b9u;
  h ^= h >> 16; h *= 0x85ebca6bu; h ^= h >> 13; h *= 0xc2b2ae35u; h ^= h >> 16;
  float f = (int)(h >> 8) * (2.f / 16777216.f) - 1.f;
  if (p.type == 0) ((float*)p.to)[i] = f;
  if (p.type == 1) ((unsigned short*)p.to)[i] = half_bits(f);
  if (p.type == 2) ((unsigned short*)p.to)[i] = bfloat_bits(f);
  if (p.type == 3) ((unsigned char*)p.to)[i] = h & 255;
}
)CUDA";

}  // namespace tenon::cuda
