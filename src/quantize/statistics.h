#pragma once
#include <map>
#include <span>
#include <string>
#include <vector>

#include "ir/types.h"
#include "quantize/histogram.h"

namespace tenon {

/// What was observed of one channel of a tensor.
struct ChannelStatistics {
  float min = 0, max = 0;
  double mean = 0, mean_square = 0;
};

/// What was observed of one tensor over all images; its size does not depend on their number.
class TensorStatistics {
 public:
  /// One tensor N x C x ...; every call has the same number of channels.
  /// @param weights how often the values of a channel count in the histogram, [C]; empty: once
  void Add(std::span<const float> values, const Shape& shape, std::span<const int64_t> weights = {});
  /// As if all that `other` was given had come after what this was given.
  void Merge(const TensorStatistics& other);

  const Histogram& histogram() const { return histogram_; }
  const std::vector<ChannelStatistics>& channels() const { return channels_; }
  /// Of each channel, E[x^2].
  std::vector<double> MeanSquares() const;
  int64_t count_per_channel() const { return count_; }

  static TensorStatistics FromParts(Histogram histogram, std::vector<ChannelStatistics> channels, int64_t count);

 private:
  Histogram histogram_;
  std::vector<ChannelStatistics> channels_;
  int64_t count_ = 0;
};

/// By the name of the value in the fused float graph.
using StatisticsTable = std::map<std::string, TensorStatistics>;

/// What two tables of the same tensors saw together.
StatisticsTable Merged(StatisticsTable a, const StatisticsTable& b);

}  // namespace tenon
