#pragma once
// ops/activation.h on the device, in FP32 by ex2.approx and rcp.approx: relative errors near 1e-6, far under the
// rounding to half. FP32 kernels use the exact library functions where an approximation would show.
#include "ptx.cuh"

/// In the order of tenon::Activation.
enum class Activation {
  kNone,
  kRelu,
  kLeakyRelu,
  kClip,
  kSilu,
  kSigmoid,
  kHardSigmoid,
  kHardSwish,
  kTanh,
  kGeluErf,
  kGeluTanh,
  kMish,
  kElu
};

/// min(max(x, low), high) that keeps NaN, as the reference does; fminf and fmaxf lose it.
DEVICE float Clamp(float x, float low, float high) {
  const float raised = x < low ? low : x;
  return raised > high ? high : raised;
}

DEVICE float FastSigmoid(float x) { return ptx::Reciprocal(1.f + ptx::Exp2(-1.4426950408889634f * x)); }
/// 1 - 2 / (1 + exp(2x)): right at both ends; near 0 it loses relative, not absolute accuracy.
DEVICE float FastTanh(float x) { return 1.f - 2.f * ptx::Reciprocal(1.f + ptx::Exp2(2.8853900817779268f * x)); }

/// x * tanh(log(1 + e^x)) = x * n / (n + 2) with n = e^x (e^x + 2); beyond 20 it is x.
DEVICE float Mish(float x) {
  const float e = ptx::Exp2(1.4426950408889634f * fminf(x, 20.f)), n = e * (e + 2.f);
  return x > 20.f ? x : x * n * ptx::Reciprocal(n + 2.f);
}

template <Activation kKind>
DEVICE float Activate(float x, float alpha, float beta) {
  if constexpr (kKind == Activation::kRelu) return x < 0.f ? 0.f : x;
  if constexpr (kKind == Activation::kLeakyRelu) return x < 0.f ? alpha * x : x;
  if constexpr (kKind == Activation::kClip) return Clamp(x, alpha, beta);
  if constexpr (kKind == Activation::kSilu) return x * FastSigmoid(x);
  if constexpr (kKind == Activation::kSigmoid) return FastSigmoid(x);
  if constexpr (kKind == Activation::kHardSigmoid) return Clamp(alpha * x + beta, 0.f, 1.f);
  if constexpr (kKind == Activation::kHardSwish) return x * Clamp(x * (1.f / 6.f) + 0.5f, 0.f, 1.f);
  if constexpr (kKind == Activation::kTanh) return tanhf(x);
  if constexpr (kKind == Activation::kGeluErf) return 0.5f * x * (1.f + erff(x * 0.70710678118654752f));
  if constexpr (kKind == Activation::kGeluTanh)
    return 0.5f * x * (1.f + FastTanh(0.79788456080286536f * (x + 0.044715f * x * x * x)));
  if constexpr (kKind == Activation::kMish) return Mish(x);
  if constexpr (kKind == Activation::kElu) return x < 0.f ? alpha * expm1f(x) : x;
  return x;
}
