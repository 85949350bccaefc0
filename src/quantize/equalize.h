#pragma once
#include <set>
#include <string>
#include <vector>

#include "quantize/statistics.h"

namespace tenon {

class Graph;
class Value;

/// Cross-layer equalisation (Nagel et al. 2019) behind any activation: what a conv makes is multiplied per channel by
/// factors that make the channels' ranges alike, and the weights that read it are divided by them. One scale in 8 bits
/// then leaves small channels as many levels as large ones: what depthwise convs need, which never mix them.
///   y = Conv(x); z = Conv(y)   becomes   y = Mul(Conv(x), factors); z = Conv'(y)
/// Only tensors that convs with constant weights alone read, through ops that keep channels whole, and where the noise
/// of rounding becomes much less by it: a factor costs time in the epilogue.
/// Numeric effect: exact but for FP32 rounding.
/// @param fused a fused float graph @param statistics of the inputs of its convs (ObserveConvInputs)
/// @param convs whose results may get factors; null: all
/// @return the number of tensors that got factors
int EqualizeChannels(Graph& fused, const StatisticsTable& statistics, const std::set<std::string>* convs = nullptr);

/// A tensor that EqualizeChannels would give factors.
struct UnevenTensor {
  std::string conv;               ///< that makes it
  std::set<std::string> readers;  ///< convs
};

/// In graph order.
std::vector<UnevenTensor> FindUnevenTensors(const Graph& fused, const StatisticsTable& statistics);

/// How often values of the channels of a tensor count in its histogram: as the square of what a step of it is worth
/// before the factors that EqualizeChannels multiplied by, so that ranges are chosen for the error of the real values.
std::vector<int64_t> ChannelCounts(const Value& value);

}  // namespace tenon
