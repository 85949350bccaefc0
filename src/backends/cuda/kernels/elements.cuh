#pragma once
// Element types in memory and their conversion to and from FP32, eight neighbours at a time where they are aligned.
#include "ptx.cuh"

enum class Type { kFloat32, kFloat16, kBFloat16, kUInt8 };

DEVICE constexpr int SizeOf(Type type) { return type == Type::kFloat32 ? 4 : type == Type::kUInt8 ? 1 : 2; }

/// Two half floats (or bfloat16s), the first in the low bits.
template <Type kType>
DEVICE uint32 PackHalves(float low, float high) {
  if constexpr (kType == Type::kFloat16)
    return ptx::PackFloat16s(low, high);
  else
    return ptx::PackBFloat16s(low, high);
}

template <Type kType>
DEVICE float2 UnpackHalves(uint32 v) {
  if constexpr (kType == Type::kBFloat16)
    return make_float2(__uint_as_float(v << 16), __uint_as_float(v & 0xffff0000u));
  else
    return ptx::UnpackFloat16s(v);
}

/// The greater ones of two pairs, leaving NaN out where the other is a number.
template <Type kType>
DEVICE uint32 MaxHalves(uint32 a, uint32 b) {
  if constexpr (kType == Type::kFloat16)
    return ptx::MaxFloat16s(a, b);
  else
    return ptx::MaxBFloat16s(a, b);
}

/// One element as a float; bytes as the integer that they are.
template <Type kType>
DEVICE float LoadElement(const char* from) {
  if constexpr (kType == Type::kFloat32) return *reinterpret_cast<const float*>(from);
  if constexpr (kType == Type::kUInt8) return *reinterpret_cast<const uint8*>(from);
  return UnpackHalves<kType>(*reinterpret_cast<const uint16*>(from)).x;
}

/// What a float becomes in memory, in the low bits. Bytes: saturated, rounded half to even, NaN becomes 0.
template <Type kType>
DEVICE uint32 ElementBits(float v) {
  if constexpr (kType == Type::kFloat32) return __float_as_uint(v);
  if constexpr (kType == Type::kUInt8) return __float2uint_rn(fminf(fmaxf(v, 0.f), 255.f));
  return PackHalves < kType == Type::kUInt8 || kType == Type::kFloat32 ? Type::kFloat16 : kType > (v, 0.f) & 0xffffu;
}

template <Type kType>
DEVICE void StoreElement(char* to, float v) {
  const uint32 bits = ElementBits<kType>(v);
  if constexpr (kType == Type::kFloat32)
    *reinterpret_cast<uint32*>(to) = bits;
  else if constexpr (kType == Type::kUInt8)
    *reinterpret_cast<uint8*>(to) = uint8(bits);
  else
    *reinterpret_cast<uint16*>(to) = uint16(bits);
}

/// Eight neighbours as memory holds them, aligned to their size.
template <Type kType>
struct LoadedEight {
  static constexpr int kWords = 2 * SizeOf(kType);
  uint32 words[kWords] = {};

  DEVICE void Load(const char* from) {
    if constexpr (kWords == 2) {
      const uint2 v = *reinterpret_cast<const uint2*>(from);
      words[0] = v.x, words[1] = v.y;
    } else {
#pragma unroll
      for (int w = 0; w < kWords; w += 4) {
        const uint4 v = *reinterpret_cast<const uint4*>(from + 4 * w);
        words[w] = v.x, words[w + 1] = v.y, words[w + 2] = v.z, words[w + 3] = v.w;
      }
    }
  }
  /// Element i; bytes as the integer that they are.
  DEVICE float Value(int i) const {
    if constexpr (kType == Type::kFloat32) return __uint_as_float(words[i]);
    if constexpr (kType == Type::kUInt8) return (words[i / 4] >> i % 4 * 8) & 255;
    const float2 pair = UnpackHalves < kType == Type::kBFloat16 ? kType : Type::kFloat16 > (words[i / 2]);
    return i % 2 == 0 ? pair.x : pair.y;
  }
};

template <Type kType>
DEVICE void LoadEight(float (&v)[8], const char* from) {
  LoadedEight<kType> loaded;
  loaded.Load(from);
#pragma unroll
  for (int i = 0; i < 8; ++i) v[i] = loaded.Value(i);
}

/// Eight neighbours as memory holds them; StoreIf may be called for several places.
template <Type kType>
struct PackedEight {
  static constexpr int kWords = 2 * SizeOf(kType);
  uint32 words[kWords];

  DEVICE explicit PackedEight(const float (&v)[8]) {
    if constexpr (kType == Type::kFloat32) {
#pragma unroll
      for (int i = 0; i < 8; ++i) words[i] = __float_as_uint(v[i]);
    } else if constexpr (kType == Type::kUInt8) {
#pragma unroll
      for (int w = 0; w < 2; ++w)
        words[w] = ElementBits<kType>(v[4 * w]) | ElementBits<kType>(v[4 * w + 1]) << 8 |
                   ElementBits<kType>(v[4 * w + 2]) << 16 | ElementBits<kType>(v[4 * w + 3]) << 24;
    } else {
#pragma unroll
      for (int w = 0; w < 4; ++w) words[w] = PackHalves<kType>(v[2 * w], v[2 * w + 1]);
    }
  }
  DEVICE void StoreIf(bool wanted, char* to) const {
    if constexpr (kWords == 2) {
      ptx::StoreGlobalIf(wanted, to, make_uint2(words[0], words[1]));
    } else {
#pragma unroll
      for (int w = 0; w < kWords; w += 4)
        ptx::StoreGlobalIf(wanted, to + 4 * w, make_uint4(words[w], words[w + 1], words[w + 2], words[w + 3]));
    }
  }
};
