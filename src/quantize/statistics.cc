#include "quantize/statistics.h"

#include <algorithm>

#include "base/error.h"

namespace tenon {
namespace {

ChannelStatistics Observe(std::span<const float> plane) {
  ChannelStatistics seen{plane[0], plane[0], 0, 0};
  // Blocks in FP32, which vectorises; sums of blocks in FP64.
  constexpr size_t kBlock = 4096;
  for (size_t begin = 0; begin < plane.size(); begin += kBlock) {
    float low = plane[begin], high = plane[begin], sum = 0, squares = 0;
    for (size_t i = begin; i < std::min(plane.size(), begin + kBlock); ++i) {
      low = std::min(low, plane[i]);
      high = std::max(high, plane[i]);
      sum += plane[i];
      squares += plane[i] * plane[i];
    }
    seen.min = std::min(seen.min, low);
    seen.max = std::max(seen.max, high);
    seen.mean += sum;
    seen.mean_square += squares;
  }
  seen.mean /= static_cast<double>(plane.size());
  seen.mean_square /= static_cast<double>(plane.size());
  return seen;
}

/// `into` holds `count` numbers, `add` one plane of `size`.
void Join(ChannelStatistics& into, int64_t count, const ChannelStatistics& add, int64_t size) {
  if (count == 0) {
    into = add;
    return;
  }
  const double share = static_cast<double>(size) / static_cast<double>(count + size);
  into.min = std::min(into.min, add.min);
  into.max = std::max(into.max, add.max);
  into.mean += (add.mean - into.mean) * share;
  into.mean_square += (add.mean_square - into.mean_square) * share;
}

}  // namespace

void TensorStatistics::Add(std::span<const float> values, const Shape& shape, std::span<const int64_t> weights) {
  TENON_CHECK(static_cast<int64_t>(values.size()) == ElemCount(shape));
  if (weights.empty()) histogram_.Add(values);
  if (shape.size() < 2 || values.empty()) return;
  const int64_t channels = shape[1], size = ElemCount({shape.begin() + 2, shape.end()});
  if (channels_.empty()) channels_.resize(static_cast<size_t>(channels));
  TENON_CHECK(static_cast<int64_t>(channels_.size()) == channels);
  for (int64_t n = 0; n < shape[0]; ++n) {
    for (int64_t c = 0; c < channels; ++c) {
      const auto plane = values.subspan(static_cast<size_t>((n * channels + c) * size), static_cast<size_t>(size));
      if (!weights.empty()) histogram_.Add(plane, weights[static_cast<size_t>(c)]);
      Join(channels_[static_cast<size_t>(c)], count_, Observe(plane), size);
    }
    count_ += size;
  }
}

void TensorStatistics::Merge(const TensorStatistics& other) {
  histogram_.Merge(other.histogram_);
  if (other.channels_.empty()) return;
  if (channels_.empty()) channels_.resize(other.channels_.size());
  TENON_CHECK(channels_.size() == other.channels_.size());
  for (size_t c = 0; c < channels_.size(); ++c) Join(channels_[c], count_, other.channels_[c], other.count_);
  count_ += other.count_;
}

std::vector<double> TensorStatistics::MeanSquares() const {
  std::vector<double> squares;
  for (const ChannelStatistics& channel : channels_) squares.push_back(channel.mean_square);
  return squares;
}

TensorStatistics TensorStatistics::FromParts(Histogram histogram, std::vector<ChannelStatistics> channels,
                                             int64_t count) {
  TensorStatistics statistics;
  statistics.histogram_ = std::move(histogram);
  statistics.channels_ = std::move(channels);
  statistics.count_ = count;
  return statistics;
}

StatisticsTable Merged(StatisticsTable a, const StatisticsTable& b) {
  for (const auto& [name, statistics] : b) a[name].Merge(statistics);
  return a;
}

}  // namespace tenon
