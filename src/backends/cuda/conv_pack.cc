#include <cmath>
#include <cstring>

#include "backends/cuda/conv_layout.h"
#include "backends/cuda/conv_line.h"
#include "backends/cuda/conv_source.h"
#include "base/error.h"
#include "ir/float16.h"

namespace tenon::cuda {
namespace {

int64_t RoundUp16(int64_t bytes) { return (bytes + 15) / 16 * 16; }

/// Writes `value` as an element of type `dtype`.
void PutElement(std::byte* to, DType dtype, float value) {
  const auto put = [&](auto element) { std::memcpy(to, &element, sizeof(element)); };
  if (dtype == DType::kFloat32) return put(value);
  if (dtype == DType::kInt8) return put(static_cast<int8_t>(std::lround(value)));
  dtype == DType::kFloat16 ? put(Float16(value).bits) : put(BFloat16(value).bits);
}

float GetElement(const std::byte* from, DType dtype) {
  const auto get = [&](auto element) {
    std::memcpy(&element, from, sizeof(element));
    return static_cast<float>(element);
  };
  if (dtype == DType::kFloat32) return get(float{});
  if (dtype == DType::kInt8) return get(int8_t{});
  return dtype == DType::kFloat16 ? get(Float16(0.0f)) : get(BFloat16(0.0f));
}

DType WeightType(const ConvProblem& p, ConvKernel kernel) {
  return kernel == ConvKernel::kDepthwise && !p.is_int8() ? DType::kFloat32 : p.compute;
}

/// Weights of half kernels are rounded to half even where they are kept in FP32.
float Rounded(const ConvProblem& p, float value) {
  if (p.compute == DType::kFloat16) return static_cast<float>(Float16(value));
  if (p.compute == DType::kBFloat16) return static_cast<float>(BFloat16(value));
  return value;
}

/// Where a weight lies, in bytes.
class WeightPlaces {
 public:
  WeightPlaces(const ConvProblem& p, ConvKernel kernel)
      : p_(p), kernel_(kernel), layout_(ConvLayout::Of(p, kernel)), line_(ConvLine::Of(p)) {}

  int64_t Of(int oc, int ic, int tap) const {
    const int64_t size = SizeOf(WeightType(p_, kernel_));
    switch (kernel_) {
      case ConvKernel::kDepthwise:
        return (int64_t{tap} * p_.oc + oc) * size;
      case ConvKernel::kWgmma:
        return OfLine(oc, ic * size, tap);
      case ConvKernel::kImage:
        return int64_t{oc} * layout_.row_bytes + (tap / p_.kw * int64_t{layout_.tap_bytes}) +
               (tap % p_.kw * int64_t{4} + ic) * size;
      case ConvKernel::kGemm:
      case ConvKernel::kPatch:
        return int64_t{oc} * layout_.row_bytes + int64_t{tap} * layout_.tap_bytes + ic * size;
    }
    return 0;
  }

 private:
  int64_t OfLine(int oc, int64_t byte, int tap) const {
    const int64_t piece_bytes = line_.steps * 32, in_piece = byte % piece_bytes;
    const int64_t slab = byte / piece_bytes * p_.taps() + tap;
    return ((slab * (line_.packed_oc / 8) + oc / 8) * line_.columns() + in_piece / 16) * 128 + oc % 8 * 16 +
           in_piece % 16;
  }

  const ConvProblem& p_;
  ConvKernel kernel_;
  ConvLayout layout_;
  ConvLine line_;
};

/// Calls visit(index of the weight, its place in the packed bytes) for each.
template <class F>
void ForEachWeight(const ConvProblem& p, ConvKernel kernel, const F& visit) {
  const WeightPlaces places(p, kernel);
  size_t source = 0;
  for (int oc = 0; oc < p.oc; ++oc)
    for (int ic = 0; ic < p.group_ic(); ++ic)
      for (int tap = 0; tap < p.taps(); ++tap, ++source) visit(source, places.Of(oc, ic, tap));
}

void PackSumConstants(const ConvProblem& p, const ConvConstants& constants, std::byte* to) {
  const size_t per_channel = constants.weights.size() / static_cast<size_t>(p.oc);
  for (int oc = 0; oc < p.oc; ++oc) {
    const auto channel = static_cast<size_t>(oc);
    int64_t sum = 0;
    for (const float w : constants.weights.subspan(channel * per_channel, per_channel)) sum += std::lround(w);
    const float multiplier = p.quantization.x.scale * constants.weight_scales[channel];
    const auto first = static_cast<int32_t>(-p.quantization.x.zero_point * sum);
    std::memcpy(to + channel * 4, &multiplier, 4);
    std::memcpy(to + (channel + static_cast<size_t>(p.oc)) * 4, &first, 4);
  }
}

}  // namespace

ConvLayout ConvLayout::Of(const ConvProblem& p, ConvKernel kernel) {
  ConvLayout layout;
  const int64_t channels_bytes = int64_t{p.group_ic()} * p.element_bytes();
  int64_t weights_bytes = 0;
  switch (kernel) {
    case ConvKernel::kGemm:
    case ConvKernel::kPatch:
      layout.is_gathered = !IsCopyable(p);
      layout.tap_bytes = static_cast<int>(layout.is_gathered ? channels_bytes : RoundUp16(channels_bytes));
      layout.row_bytes = static_cast<int>(RoundUp16(int64_t{p.taps()} * layout.tap_bytes));
      weights_bytes = int64_t{p.oc} * layout.row_bytes;
      break;
    case ConvKernel::kWgmma: {
      const ConvLine line = ConvLine::Of(p);
      weights_bytes = int64_t{line.slabs()} * line.columns() * line.packed_oc * 16;
      break;
    }
    case ConvKernel::kImage:
      layout.tap_bytes = (p.kw + 3) / 4 * 4 * 4 * p.element_bytes();
      layout.row_bytes = p.kh * layout.tap_bytes;
      weights_bytes = int64_t{p.oc} * layout.row_bytes;
      break;
    case ConvKernel::kDepthwise:
      weights_bytes = int64_t{p.taps()} * p.oc * (p.is_int8() ? 1 : 4);
      break;
  }
  layout.bias_offset = RoundUp16(weights_bytes);
  layout.total_bytes = RoundUp16(layout.bias_offset + int64_t{p.oc} * (p.is_int8() ? 12 : 4));
  return layout;
}

std::vector<std::byte> PackConv(const ConvProblem& p, const ConvTactic& tactic, const ConvConstants& constants) {
  const auto channels = static_cast<size_t>(p.oc);
  TENON_CHECK(constants.weights.size() == channels * static_cast<size_t>(p.group_ic() * p.taps()));
  TENON_CHECK(!p.is_int8() || constants.weight_scales.size() == channels);
  const ConvLayout layout = ConvLayout::Of(p, tactic.kernel);
  std::vector<std::byte> packed(static_cast<size_t>(layout.total_bytes));
  ForEachWeight(p, tactic.kernel, [&](size_t i, int64_t place) {
    PutElement(packed.data() + place, WeightType(p, tactic.kernel), Rounded(p, constants.weights[i]));
  });
  std::byte* const biases = packed.data() + layout.bias_offset;
  if (!constants.bias.empty()) std::memcpy(biases, constants.bias.data(), channels * 4);
  if (p.is_int8()) PackSumConstants(p, constants, biases + channels * 4);
  return packed;
}

std::vector<float> UnpackConvWeights(const ConvProblem& p, const ConvTactic& tactic,
                                     std::span<const std::byte> packed) {
  std::vector<float> weights(static_cast<size_t>(p.oc) * static_cast<size_t>(p.group_ic() * p.taps()));
  ForEachWeight(p, tactic.kernel, [&](size_t i, int64_t place) {
    weights[i] = GetElement(packed.data() + place, WeightType(p, tactic.kernel));
  });
  return weights;
}

std::vector<float> UnpackConvBias(const ConvProblem& p, const ConvTactic& tactic, std::span<const std::byte> packed) {
  std::vector<float> bias(static_cast<size_t>(p.oc));
  std::memcpy(bias.data(), packed.data() + ConvLayout::Of(p, tactic.kernel).bias_offset, bias.size() * 4);
  return bias;
}

}  // namespace tenon::cuda
