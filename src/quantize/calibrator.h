#pragma once
#include <array>
#include <string>
#include <string_view>

#include "ops/quantization.h"
#include "quantize/histogram.h"

namespace tenon {

/// How a range is chosen from what was observed.
enum class Calibrator {
  kMse,         ///< least squared error after rounding and clipping
  kEntropy,     ///< least KL divergence of the quantised distribution from the observed (as TensorRT's did)
  kPercentile,  ///< all but 0.01% of the values
  kMinMax,      ///< all values
};
inline constexpr std::array<std::string_view, 4> kCalibratorNames = {"mse", "entropy", "percentile", "minmax"};

/// The calibrator that a --calibration flag names. Throws Error(kInvalidInput) that lists them.
Calibrator ParseCalibrator(const std::string& flag);

/// The u8 mapping of a tensor with this distribution; 0 is always represented exactly. An empty histogram, or one of
/// zeros alone, gives scale 1.
AffineScale ChooseScale(const Histogram& histogram, Calibrator calibrator);

/// The u8 mapping whose range is [low, high], widened to hold 0.
AffineScale ScaleOfRange(double low, double high);

/// Mean squared error of the mapping on this distribution.
double QuantizationError(const Histogram& histogram, const AffineScale& scale);

/// Signal-to-quantisation-noise ratio in dB; infinity without noise.
double SignalToNoiseDb(double signal, double noise);

}  // namespace tenon
