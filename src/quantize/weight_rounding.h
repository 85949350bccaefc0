#pragma once
#include <array>
#include <string>
#include <string_view>

#include "backends/device.h"
#include "quantize/calibrate.h"
#include "quantize/patch_moments.h"
#include "quantize/weights.h"

namespace tenon {

/// How weights become integers.
enum class WeightRounding {
  kNearest,   ///< each by itself
  kAdaRound,  ///< up or down, together, so that their errors cancel in the products with what calibration saw
};
inline constexpr std::array<std::string_view, 2> kWeightRoundingNames = {"nearest", "adaround"};

/// The rounding that a --weight-rounding flag names. Throws Error(kInvalidInput) that lists them.
WeightRounding ParseWeightRounding(const std::string& flag);

/// `nearest` with some weights rounded the other way, so that the variance of the products' error gets less: d^T C d
/// for the errors d of one output channel's weights and the covariance C of its patches (the layer's reconstruction
/// error, which AdaRound minimises: Nagel et al. 2020; here by coordinate descent). Scales stay, and so does every
/// level within one of its weight. What means add is left to the bias.
QuantizedWeights RoundTogether(const Tensor& weights, const QuantizedWeights& nearest, const PatchMoments& moments);

/// The weights of all convs that could be quantised, rounded together, from what their inputs are on the images.
WeightTable RoundConvWeights(const Graph& fused, const CalibrationImages& images, const StatisticsTable& statistics,
                             const Device& device, Progress::Mode mode);

}  // namespace tenon
