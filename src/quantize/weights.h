#pragma once
#include <map>
#include <span>
#include <string>

#include "ir/tensor.h"

namespace tenon {

/// Symmetric weights use the levels -127 to 127.
inline constexpr float kMaxLevel = 127;

/// Weights in 8 bits: real weight = element * scale of its output channel.
struct QuantizedWeights {
  Tensor elements;  ///< i8, the shape of the weights, -127 to 127
  Tensor scales;    ///< f32 [OC]
};

/// By the name of the conv.
using WeightTable = std::map<std::string, QuantizedWeights>;

/// Weights [OC, IC/groups, ...] (f32) with the scale of each output channel that leaves the least squared error of the
/// products: the error of a weight counts as much as the input channel it meets carries energy.
/// @param input_energy mean square of each input channel, [IC]; empty: all count the same
QuantizedWeights QuantizeWeights(const Tensor& weights, int64_t groups, std::span<const double> input_energy);

/// What the rounding of the weights adds to each output channel on average: sum of (quantised - real weight) * mean of
/// the input channel it meets. Borders, where padding stands for some inputs, are left out of account.
/// @param input_mean [IC]
std::vector<double> WeightRoundingBias(const Tensor& weights, const QuantizedWeights& quantized, int64_t groups,
                                       std::span<const double> input_mean);

}  // namespace tenon
