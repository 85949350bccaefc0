#pragma once
// What happens to the sums of a convolution: scale (INT8), bias, activation, residual, activation after it, conversion,
// stores into views. The generated text before this file defines namespace `problem` (conv_source.h on the host).
#include "activation.cuh"
#include "elements.cuh"

struct ConvArgs {
  const char* input;
  const char* packed;  ///< weights, then per output channel: biases, and for INT8 multipliers and first sums
  const char* residual;
  char* targets[4];
};

namespace conv {
using problem::Offset;

constexpr bool kIsInt8 = problem::kCompute == Type::kUInt8;
constexpr int kGroupIC = problem::kIC / problem::kGroups, kGroupOC = problem::kOC / problem::kGroups;
constexpr int kTaps = problem::kKH * problem::kKW;
constexpr int kRows = problem::kN * problem::kOH * problem::kOW;  ///< of the product: output pixels

template <bool kInt>
struct SumOf {
  using Type = float;
};
template <>
struct SumOf<true> {
  using Type = int;
};
using Sum = SumOf<kIsInt8>::Type;

/// An output pixel; where every view is linear over pixels n and y are 0 and x counts all pixels.
struct Pixel {
  int n, y, x;
  bool valid;
};

template <class View>
DEVICE Offset PixelOffset(const Pixel& p) {
  return Offset(p.n) * Offset(View::kImage) + Offset(p.y) * Offset(View::kRow) + Offset(p.x) * Offset(View::kPixel);
}

template <class View>
DEVICE constexpr bool IsLinear() {
  return View::kRow == View::kPixel * problem::kOW && View::kImage == View::kRow * problem::kOH;
}
template <int kTarget = 0>
DEVICE constexpr bool AreTargetsLinear() {
  using T = problem::Target<kTarget>;
  bool linear = T::kScale == 1 && IsLinear<T>();
  if constexpr (kTarget + 1 < problem::kTargets) linear = linear && AreTargetsLinear<kTarget + 1>();
  return linear;
}
constexpr bool kLinearOutput = AreTargetsLinear() && (!problem::kHasResidual || IsLinear<problem::Residual>());

/// Output pixel m of all.
DEVICE Pixel PixelOfRow(int m, bool valid) {
  if constexpr (kLinearOutput) return {0, 0, m, valid};
  const int row = m / problem::kOW;
  return {row / problem::kOH, row % problem::kOH, m % problem::kOW, valid};
}

/// Brings the constants of kChannels output channels of a group, from `first` on, to shared memory (3 * kChannels).
template <int kChannels, int kThreads>
DEVICE void LoadChannelConstants(float* shared, const char* packed, int group, int first) {
  const float* biases = reinterpret_cast<const float*>(packed + problem::kBiasOffset);
  for (int i = threadIdx.x; i < kChannels; i += kThreads) {
    const bool inside = first + i < kGroupOC;
    const int channel = inside ? group * kGroupOC + first + i : 0;
    shared[i] = inside ? biases[channel] : 0.f;
    if constexpr (kIsInt8) {
      shared[kChannels + i] = biases[problem::kOC + channel];
      shared[2 * kChannels + i] = biases[2 * problem::kOC + channel];
    }
  }
}

template <int kChannels>
DEVICE float Biased(Sum sum, const float* constants) {
  if constexpr (kIsInt8)
    return __fmaf_rn(float(sum + __float_as_int(constants[2 * kChannels])), constants[kChannels], constants[0]);
  else
    return sum + constants[0];
}

DEVICE float ResidualValue(float stored) {
  if constexpr (problem::Residual::kType == Type::kUInt8)
    return (stored - problem::kResidualZero) * problem::kResidualScale;
  else
    return stored;
}

template <int kTarget = 0>
DEVICE void StoreToTargets(const ConvArgs& args, const Pixel& pixel, int channel, int count, const float (&v)[8]) {
  using T = problem::Target<kTarget>;
  const Pixel first{pixel.n, pixel.y * T::kScale, pixel.x * T::kScale, pixel.valid};
  char* to = args.targets[kTarget] + PixelOffset<T>(first) + channel * SizeOf(T::kType);
  for (int dy = 0; dy < T::kScale; ++dy)
    for (int dx = 0; dx < T::kScale; ++dx) {
      char* place = to + dy * Offset(T::kRow) + dx * Offset(T::kPixel);
      if constexpr (problem::kWholeEights) {
        PackedEight<T::kType>(v).StoreIf(pixel.valid && count > 0, place);
      } else {
#pragma unroll
        for (int i = 0; i < 8; ++i)
          if (pixel.valid && i < count) StoreElement<T::kType>(place + i * SizeOf(T::kType), v[i]);
      }
    }
  if constexpr (kTarget + 1 < problem::kTargets) StoreToTargets<kTarget + 1>(args, pixel, channel, count, v);
}

/// What the residual adds to eight neighbouring channels of a pixel, as memory holds it: loaded long before it is
/// added.
struct ResidualEight {
  using R = problem::Residual;
  LoadedEight<R::kType> whole;
  float single[problem::kWholeEights ? 1 : 8] = {};

  DEVICE void Load(const ConvArgs& args, const Pixel& pixel, int channel, int count) {
    if constexpr (!problem::kHasResidual) return;
    if (!pixel.valid) return;
    const char* from = args.residual + PixelOffset<R>(pixel) + channel * SizeOf(R::kType);
    if constexpr (problem::kWholeEights) {
      if (count > 0) whole.Load(from);
    } else {
#pragma unroll
      for (int i = 0; i < 8; ++i)
        if (i < count) single[i] = LoadElement<R::kType>(from + i * SizeOf(R::kType));
    }
  }
  DEVICE float Value(int i) const {
    if constexpr (problem::kWholeEights)
      return ResidualValue(whole.Value(i));
    else
      return ResidualValue(single[i]);
  }
};

/// From the sums of eight neighbouring channels (the first `count` of them, where it is less) of one pixel to memory.
/// `constants` begin at that channel and are kChannels apart.
template <int kChannels>
DEVICE void FinishEight(const ConvArgs& args, const float* constants, const Pixel& pixel, int channel, int count,
                        const Sum (&sums)[8], const ResidualEight& residual) {
  float v[8];
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    v[i] = Activate<problem::kActivation>(Biased<kChannels>(sums[i], constants + i), problem::kAlpha, problem::kBeta);
    if constexpr (problem::kHasResidual) v[i] += residual.Value(i);
    v[i] = Activate<problem::kPost>(v[i], 0.f, 0.f);
    if constexpr (problem::Target<0>::kType == Type::kUInt8)
      v[i] = rintf(v[i] * problem::kOutInverse) + problem::kOutZero;
  }
  StoreToTargets(args, pixel, channel, count, v);
}

template <int kChannels>
DEVICE void FinishEight(const ConvArgs& args, const float* constants, const Pixel& pixel, int channel, int count,
                        const Sum (&sums)[8]) {
  ResidualEight residual;
  residual.Load(args, pixel, channel, count);
  FinishEight<kChannels>(args, constants, pixel, channel, count, sums, residual);
}

}  // namespace conv
