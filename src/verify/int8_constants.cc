#include "verify/int8_constants.h"

#include <algorithm>
#include <cmath>

namespace tenon {
namespace {

constexpr double kOutermost = 127;
/// The least part of a channel's range that a weight scale may cover: finding scales clips no more
/// (quantize/weights.cc).
constexpr double kLeastRange = 0.5;
/// FP32 arithmetic on the way: biases fold scales of normalisation, levels come from a division.
constexpr double kFloatError = 0x1p-18;
constexpr double kLevelError = 1e-3;

/// Over one level, or over what clipping explains.
double WeightDeviation(int8_t level, double weight, double scale) {
  const double exact = weight / scale;
  if (!std::isfinite(exact)) return weight == 0 && level == 0 ? 0 : INFINITY;
  const double off = std::abs(exact - level);
  const bool clipped = std::abs(level) == kOutermost && exact * level > 0 && std::abs(exact) > kOutermost;
  if (clipped) return std::abs(exact) / (kOutermost / kLeastRange);
  return off / (1 + kLevelError);
}

}  // namespace

double Int8Deviation(const Int8Constants& held, const Tensor& weights, const Tensor& bias) {
  if (held.weights.is_null() || held.scales.is_null() || held.weights.dtype() != DType::kInt8 ||
      held.weights.shape() != weights.shape() || weights.dtype() != DType::kFloat32)
    return INFINITY;
  const int64_t channels = weights.shape()[0], per_channel = weights.elems() / std::max<int64_t>(channels, 1);
  const bool biases_fit = held.bias.is_null() || held.bias.elems() == channels;
  if (held.scales.elems() != channels || !biases_fit || (!bias.is_null() && bias.elems() != channels)) return INFINITY;
  const double low = held.x.Dequantize(0), high = held.x.Dequantize(255);
  const int64_t taps = per_channel / std::max<int64_t>(weights.shape()[1], 1);
  double worst = 0;
  for (int64_t oc = 0; oc < channels; ++oc) {
    const double scale = held.scales.data<float>()[oc];
    if (!(scale > 0) || !std::isfinite(scale)) return INFINITY;
    // What rounding adds, with any mean between low and high for each input channel: that of all its taps.
    double least = 0, most = 0;
    for (int64_t first = oc * per_channel; first < (oc + 1) * per_channel; first += taps) {
      double moved = 0;
      for (int64_t i = first; i < first + taps; ++i) {
        const double weight = weights.data<float>()[i];
        const int8_t level = held.weights.data<int8_t>()[i];
        worst = std::max(worst, WeightDeviation(level, weight, scale));
        moved += level * scale - weight;
      }
      least += std::min(moved * low, moved * high);
      most += std::max(moved * low, moved * high);
    }
    const double is = held.bias.is_null() ? 0 : held.bias.AsDouble(oc), was = bias.is_null() ? 0 : bias.AsDouble(oc);
    const double added = was - is, slack = kFloatError * std::max(std::abs(was), std::abs(is));
    if (added > 0) worst = std::max(worst, added / (most + slack));
    if (added < 0) worst = std::max(worst, added / (least - slack));
    if (!std::isfinite(worst)) return INFINITY;
  }
  return worst;
}

}  // namespace tenon
