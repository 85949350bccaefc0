#pragma once
// Arithmetic of generated regions, as ops/pointwise.h defines it. Floats of every width are held in FP32, integers in 64
// bits wrapped to their type, bools as 0 or 1. Library functions, not approximations: regions compute boxes and scores.
#include "activation.cuh"
#include "elements.cuh"

namespace region {

DEVICE float LoadF32(const char* p) { return *reinterpret_cast<const float*>(p); }
DEVICE float LoadF16(const char* p) { return LoadElement<Type::kFloat16>(p); }
DEVICE float LoadBF16(const char* p) { return LoadElement<Type::kBFloat16>(p); }
DEVICE int64 LoadI8(const char* p) { return *reinterpret_cast<const signed char*>(p); }
DEVICE int64 LoadU8(const char* p) { return *reinterpret_cast<const uint8*>(p); }
DEVICE int64 LoadI32(const char* p) { return *reinterpret_cast<const int*>(p); }
DEVICE int64 LoadI64(const char* p) { return *reinterpret_cast<const int64*>(p); }
DEVICE int64 LoadBool(const char* p) { return *reinterpret_cast<const uint8*>(p) != 0; }

DEVICE void StoreF32(char* p, float v) { *reinterpret_cast<float*>(p) = v; }
DEVICE void StoreF16(char* p, float v) { StoreElement<Type::kFloat16>(p, v); }
DEVICE void StoreBF16(char* p, float v) { StoreElement<Type::kBFloat16>(p, v); }
DEVICE void StoreI8(char* p, int64 v) { *reinterpret_cast<signed char*>(p) = static_cast<signed char>(v); }
DEVICE void StoreU8(char* p, int64 v) { *reinterpret_cast<uint8*>(p) = static_cast<uint8>(v); }
DEVICE void StoreI32(char* p, int64 v) { *reinterpret_cast<int*>(p) = static_cast<int>(v); }
DEVICE void StoreI64(char* p, int64 v) { *reinterpret_cast<int64*>(p) = v; }
DEVICE void StoreBool(char* p, int64 v) { *reinterpret_cast<uint8*>(p) = v != 0; }

/// Sixteen bytes at once, as the elements that they are.
DEVICE uint4 Load16(const char* p) { return *reinterpret_cast<const uint4*>(p); }
template <int kWord>
DEVICE uint32 Word(const uint4& v) {
  return kWord == 0 ? v.x : kWord == 1 ? v.y : kWord == 2 ? v.z : v.w;
}
template <int kIndex>
DEVICE float ElementF32(const uint4& v) { return __uint_as_float(Word<kIndex>(v)); }
template <int kIndex>
DEVICE float ElementF16(const uint4& v) {
  const float2 pair = UnpackHalves<Type::kFloat16>(Word<kIndex / 2>(v));
  return kIndex % 2 ? pair.y : pair.x;
}
template <int kIndex>
DEVICE float ElementBF16(const uint4& v) {
  const float2 pair = UnpackHalves<Type::kBFloat16>(Word<kIndex / 2>(v));
  return kIndex % 2 ? pair.y : pair.x;
}
template <int kIndex>
DEVICE int64 ElementU8(const uint4& v) { return Word<kIndex / 4>(v) >> 8 * (kIndex % 4) & 0xff; }
template <int kIndex>
DEVICE int64 ElementI8(const uint4& v) { return static_cast<signed char>(ElementU8<kIndex>(v)); }

DEVICE void Store16F32(char* p, float a, float b, float c, float d) {
  *reinterpret_cast<float4*>(p) = make_float4(a, b, c, d);
}
DEVICE void Store16F16(char* p, float a, float b, float c, float d, float e, float f, float g, float h) {
  *reinterpret_cast<uint4*>(p) = make_uint4(PackHalves<Type::kFloat16>(a, b), PackHalves<Type::kFloat16>(c, d),
                                            PackHalves<Type::kFloat16>(e, f), PackHalves<Type::kFloat16>(g, h));
}
DEVICE void Store16BF16(char* p, float a, float b, float c, float d, float e, float f, float g, float h) {
  *reinterpret_cast<uint4*>(p) = make_uint4(PackHalves<Type::kBFloat16>(a, b), PackHalves<Type::kBFloat16>(c, d),
                                            PackHalves<Type::kBFloat16>(e, f), PackHalves<Type::kBFloat16>(g, h));
}

// Unary ops on floats: f(x, alpha, beta).
#define UNARY(NAME, EXPRESSION) \
  DEVICE float NAME(float x, float a, float b) { return EXPRESSION; }
DEVICE float SigmoidOf(float x) { return 1.f / (1.f + expf(-x)); }
DEVICE float SoftplusOf(float x) { return x > 0 ? x + log1pf(expf(-x)) : log1pf(expf(x)); }
UNARY(relu, x < 0 ? 0.f : x)
UNARY(leaky_relu, x < 0 ? a * x : x)
UNARY(clip, Clamp(x, a, b))
UNARY(silu, x * SigmoidOf(x))
UNARY(sigmoid, SigmoidOf(x))
UNARY(hard_sigmoid, Clamp(a * x + b, 0.f, 1.f))
UNARY(hard_swish, x * Clamp(x / 6.f + 0.5f, 0.f, 1.f))
UNARY(tanh, tanhf(x))
UNARY(gelu_erf, 0.5f * x * (1.f + erff(x * 0.70710678118654752f)))
UNARY(gelu_tanh, 0.5f * x * (1.f + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x))))
UNARY(mish, x * tanhf(SoftplusOf(x)))
UNARY(elu, x < 0 ? a * expm1f(x) : x)
UNARY(selu, x > 0 ? b * x : b * a * expm1f(x))
UNARY(celu, x > 0 ? x : a * expm1f(x / a))
UNARY(softplus, SoftplusOf(x))
UNARY(softsign, x / (1.f + fabsf(x)))
UNARY(thresholded_relu, x > a ? x : 0.f)
UNARY(erf, erff(x))
UNARY(exp, expf(x))
UNARY(log, logf(x))
UNARY(sqrt, sqrtf(x))
UNARY(abs, fabsf(x))
UNARY(neg, -x)
UNARY(reciprocal, 1.f / x)
UNARY(floor, floorf(x))
UNARY(ceil, ceilf(x))
UNARY(round, rintf(x))
UNARY(sign, isnan(x) ? x : float((x > 0) - (x < 0)))
UNARY(sin, sinf(x))
UNARY(cos, cosf(x))
UNARY(tan, tanf(x))
UNARY(asin, asinf(x))
UNARY(acos, acosf(x))
UNARY(atan, atanf(x))
UNARY(sinh, sinhf(x))
UNARY(cosh, coshf(x))
UNARY(asinh, asinhf(x))
UNARY(acosh, acoshf(x))
UNARY(atanh, atanhf(x))
UNARY(identity, x)
#undef UNARY
DEVICE int64 is_nan(float x, float, float) { return isnan(x); }
/// alpha, beta: whether the negative and the positive infinity count.
DEVICE int64 is_inf(float x, float a, float b) { return isinf(x) && (x < 0 ? a != 0 : b != 0); }

// Binary ops. Division of integers by zero gives zero, as the reference has it.
DEVICE float add(float x, float y) { return x + y; }
DEVICE float sub(float x, float y) { return x - y; }
DEVICE float mul(float x, float y) { return x * y; }
DEVICE float div(float x, float y) { return x / y; }
DEVICE float pow(float x, float y) { return powf(x, y); }
DEVICE float min(float x, float y) { return isnan(x) || x < y ? x : y; }
DEVICE float max(float x, float y) { return isnan(x) || x > y ? x : y; }
DEVICE float fmod(float x, float y) { return fmodf(x, y); }
DEVICE float mod(float x, float y) {
  const float rest = fmodf(x, y);
  return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}
DEVICE float prelu(float x, float slope) { return x < 0 ? slope * x : x; }
DEVICE float fast_max(float x, float y) { return x > y ? x : y; }
template <class T>
DEVICE int64 equal(T x, T y) { return x == y; }
template <class T>
DEVICE int64 less(T x, T y) { return x < y; }
template <class T>
DEVICE int64 less_or_equal(T x, T y) { return x <= y; }
template <class T>
DEVICE int64 greater(T x, T y) { return x > y; }
template <class T>
DEVICE int64 greater_or_equal(T x, T y) { return x >= y; }

DEVICE int64 add(int64 x, int64 y) { return int64(uint64(x) + uint64(y)); }
DEVICE int64 sub(int64 x, int64 y) { return int64(uint64(x) - uint64(y)); }
DEVICE int64 mul(int64 x, int64 y) { return int64(uint64(x) * uint64(y)); }
DEVICE int64 div(int64 x, int64 y) { return y == 0 ? 0 : y == -1 ? sub(0, x) : x / y; }
DEVICE int64 min(int64 x, int64 y) { return x < y ? x : y; }
DEVICE int64 max(int64 x, int64 y) { return x > y ? x : y; }
DEVICE int64 fmod(int64 x, int64 y) { return y == 0 || y == -1 ? 0 : x % y; }
DEVICE int64 mod(int64 x, int64 y) {
  const int64 rest = fmod(x, y);
  return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}
DEVICE int64 prelu(int64 x, int64 slope) { return x < 0 ? mul(x, slope) : x; }
DEVICE int64 pow(int64 x, int64 y) {
  if (y < 0) return x == 1 ? 1 : x == -1 ? (y % 2 ? -1 : 1) : 0;
  int64 result = 1;
  for (; y > 0; y >>= 1, x = mul(x, x))
    if (y & 1) result = mul(result, x);
  return result;
}
DEVICE int64 bitwise_and(int64 x, int64 y) { return x & y; }
DEVICE int64 bitwise_or(int64 x, int64 y) { return x | y; }
DEVICE int64 bitwise_xor(int64 x, int64 y) { return x ^ y; }
DEVICE int64 relu(int64 x) { return x > 0 ? x : 0; }
DEVICE int64 abs(int64 x) { return x < 0 ? sub(0, x) : x; }
DEVICE int64 neg(int64 x) { return sub(0, x); }
DEVICE int64 sign(int64 x) { return (x > 0) - (x < 0); }
DEVICE int64 logical_not(int64 x) { return x == 0; }
DEVICE int64 clip(int64 x, int64 low, int64 high) { return min(max(x, low), high); }

DEVICE int64 WrapI8(int64 v) { return static_cast<signed char>(v); }
DEVICE int64 WrapU8(int64 v) { return static_cast<uint8>(v); }
DEVICE int64 WrapI32(int64 v) { return static_cast<int>(v); }
DEVICE int64 WrapI64(int64 v) { return v; }
DEVICE int64 WrapBool(int64 v) { return v != 0; }

/// Floats that don't fit give the nearest limit, NaN gives 0.
DEVICE int64 Bounded(float v, int64 low, int64 high) {
  if (isnan(v)) return 0;
  if (v <= float(low)) return low;
  if (v >= float(high)) return high;
  return int64(v);
}
DEVICE int64 FromFloatI8(float v) { return Bounded(v, -128, 127); }
DEVICE int64 FromFloatU8(float v) { return Bounded(v, 0, 255); }
DEVICE int64 FromFloatI32(float v) { return Bounded(v, -2147483647LL - 1, 2147483647LL); }
DEVICE int64 FromFloatI64(float v) { return Bounded(v, -9223372036854775807LL - 1, 9223372036854775807LL); }
DEVICE int64 FromFloatBool(float v) { return v != 0; }

}  // namespace region
