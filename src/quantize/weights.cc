#include "quantize/weights.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace tenon {
namespace {

/// Calls f(index in `weights`, input channel) for the weights of one output channel.
template <class F>
void ForEachWeight(const Tensor& weights, int64_t groups, int64_t oc, const F& f) {
  const Shape& shape = weights.shape();
  const int64_t inputs = shape[1], taps = weights.elems() / std::max<int64_t>(shape[0] * inputs, 1);
  const int64_t first_input = oc / (shape[0] / groups) * inputs;
  for (int64_t ic = 0; ic < inputs; ++ic) {
    for (int64_t tap = 0; tap < taps; ++tap) f((oc * inputs + ic) * taps + tap, first_input + ic);
  }
}

float Level(float weight, float scale) { return std::clamp(std::nearbyint(weight / scale), -kMaxLevel, kMaxLevel); }

/// The scale of one channel, from a grid of fractions of the one that clips nothing.
float BestScale(std::span<const float> weights, std::span<const double> energy) {
  float largest = 0;
  for (const float w : weights) largest = std::max(largest, std::abs(w));
  const float full = largest / kMaxLevel;
  if (!(full > 1e-30f)) return 1;
  constexpr int kSteps = 50;
  float best = full;
  double least = INFINITY;
  for (int step = 0; step < kSteps; ++step) {
    const float scale = full * (1 - 0.01f * static_cast<float>(step));
    double error = 0;
    for (size_t i = 0; i < weights.size() && error < least; ++i) {
      const double e = weights[i] - Level(weights[i], scale) * scale;
      error += energy[i] * e * e;
    }
    if (error < least) least = error, best = scale;
  }
  return best;
}

}  // namespace

QuantizedWeights QuantizeWeights(const Tensor& weights, int64_t groups, std::span<const double> input_energy) {
  const int64_t channels = weights.shape()[0], per_channel = weights.elems() / channels;
  QuantizedWeights result{Tensor(DType::kInt8, weights.shape()), Tensor(DType::kFloat32, {channels})};
  std::vector<double> energy(static_cast<size_t>(per_channel), 1.0);
  for (int64_t oc = 0; oc < channels; ++oc) {
    const int64_t first = oc * per_channel;
    if (!input_energy.empty()) {
      ForEachWeight(weights, groups, oc, [&](int64_t i, int64_t ic) {
        // A dead channel still keeps its weights roughly right.
        energy[static_cast<size_t>(i - first)] = std::max(input_energy[static_cast<size_t>(ic)], 1e-12);
      });
    }
    const std::span<const float> row(weights.data<float>() + first, static_cast<size_t>(per_channel));
    const float scale = BestScale(row, energy);
    result.scales.data<float>()[oc] = scale;
    for (int64_t i = 0; i < per_channel; ++i)
      result.elements.data<int8_t>()[first + i] = static_cast<int8_t>(Level(row[static_cast<size_t>(i)], scale));
  }
  return result;
}

std::vector<double> WeightRoundingBias(const Tensor& weights, const QuantizedWeights& quantized, int64_t groups,
                                       std::span<const double> input_mean) {
  const int64_t channels = weights.shape()[0];
  std::vector<double> bias(static_cast<size_t>(channels), 0.0);
  for (int64_t oc = 0; oc < channels; ++oc) {
    const double scale = quantized.scales.data<float>()[oc];
    ForEachWeight(weights, groups, oc, [&](int64_t i, int64_t ic) {
      const double rounded = quantized.elements.data<int8_t>()[i] * scale;
      bias[static_cast<size_t>(oc)] += (rounded - weights.data<float>()[i]) * input_mean[static_cast<size_t>(ic)];
    });
  }
  return bias;
}

}  // namespace tenon
