#include "quantize/histogram.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace tenon {
namespace {

/// Index of the double-width bin that holds this one, downwards also below 0.
int64_t HalfIndex(int64_t index) { return index >> 1; }

struct Range {
  float min = 0, max = 0;
  int64_t finite = 0;
};

Range FiniteRange(std::span<const float> values) {
  Range range{INFINITY, -INFINITY, 0};
  for (const float value : values) {
    const bool finite = std::isfinite(value);
    range.finite += finite;
    range.min = std::min(range.min, finite ? value : INFINITY);
    range.max = std::max(range.max, finite ? value : -INFINITY);
  }
  return range;
}

}  // namespace

double Histogram::width() const { return std::ldexp(1.0, exponent_); }

int64_t Histogram::first_bin() const {
  const auto first = std::find_if(counts_.begin(), counts_.end(), [](int64_t n) { return n != 0; });
  return base_ + (first - counts_.begin());
}

std::span<const int64_t> Histogram::bins() const {
  if (count_ == 0) return {};
  const int64_t first = first_bin() - base_;
  int64_t end = kBins;
  while (counts_[static_cast<size_t>(end - 1)] == 0) --end;
  return std::span(counts_).subspan(static_cast<size_t>(first), static_cast<size_t>(end - first));
}

int64_t Histogram::IndexOf(float value) const {
  // A power of two: the product is exact, so a value's bin does not depend on how the width came about.
  constexpr double kFar = 0x1p61;
  return static_cast<int64_t>(
      std::clamp(std::floor(static_cast<double>(value) * std::ldexp(1.0, -exponent_)), -kFar, kFar));
}

void Histogram::Halve() {
  std::vector<int64_t> merged(kBins, 0);
  const int64_t base = HalfIndex(base_);
  for (int64_t i = 0; i < kBins && !counts_.empty(); ++i)
    merged[static_cast<size_t>(HalfIndex(base_ + i) - base)] += counts_[static_cast<size_t>(i)];
  counts_ = std::move(merged);
  base_ = base;
  ++exponent_;
}

void Histogram::CoverIndices(int64_t low, int64_t high) {
  // Moves the window without leaving out what is counted: the caller made sure that both fit.
  if (low >= base_ && high < base_ + kBins) return;
  std::vector<int64_t> moved(kBins, 0);
  for (int64_t i = 0; i < kBins; ++i) {
    if (const int64_t n = counts_[static_cast<size_t>(i)]; n != 0) moved[static_cast<size_t>(base_ + i - low)] = n;
  }
  counts_ = std::move(moved);
  base_ = low;
}

void Histogram::Cover(float low, float high) {
  if (counts_.empty()) counts_.assign(kBins, 0);
  if (count_ > 0) low = std::min(low, min_), high = std::max(high, max_);
  // Far from fitting, a few doublings of an empty window cost nothing.
  while (exponent_ < kHighestExponent && IndexOf(high) - IndexOf(low) >= kBins) Halve();
  CoverIndices(IndexOf(low), IndexOf(high));
}

void Histogram::Add(std::span<const float> values, int64_t weight) {
  const Range range = FiniteRange(values);
  non_finite_ += static_cast<int64_t>(values.size()) - range.finite;
  if (range.finite == 0) return;
  Cover(range.min, range.max);
  const double inverse = std::ldexp(1.0, -exponent_);
  const bool all_finite = range.finite == static_cast<int64_t>(values.size());
  const double base = static_cast<double>(base_);
  int64_t* counts = counts_.data();
  for (const float value : values) {
    if (!all_finite && !std::isfinite(value)) continue;
    // The difference is not negative, so that truncation rounds down; a value a hair below the window's end may round
    // up.
    const auto at = static_cast<int64_t>(static_cast<double>(value) * inverse - base);
    counts[std::min<int64_t>(at, kBins - 1)] += weight;
  }
  min_ = count_ == 0 ? range.min : std::min(min_, range.min);
  max_ = count_ == 0 ? range.max : std::max(max_, range.max);
  count_ += range.finite * weight;
}

void Histogram::Merge(const Histogram& other) {
  non_finite_ += other.non_finite_;
  if (other.count_ == 0) return;
  Histogram copy = other;
  if (counts_.empty()) counts_.assign(kBins, 0);
  while (exponent_ < copy.exponent_) Halve();
  Cover(copy.min_, copy.max_);
  while (copy.exponent_ < exponent_) copy.Halve();
  for (int64_t i = 0; i < kBins; ++i) {
    if (const int64_t n = copy.counts_[static_cast<size_t>(i)]; n != 0)
      counts_[static_cast<size_t>(copy.base_ + i - base_)] += n;
  }
  min_ = count_ == 0 ? copy.min_ : std::min(min_, copy.min_);
  max_ = count_ == 0 ? copy.max_ : std::max(max_, copy.max_);
  count_ += copy.count_;
}

Histogram Histogram::FromParts(int exponent, int64_t first_bin, std::vector<int64_t> bins, float min, float max,
                               int64_t non_finite) {
  Histogram histogram;
  histogram.non_finite_ = non_finite;
  const bool plain = exponent >= kLowestExponent && exponent <= kHighestExponent && bins.size() <= kBins &&
                     std::isfinite(min) && std::isfinite(max) && min <= max && non_finite >= 0 &&
                     std::abs(first_bin) < (int64_t{1} << 60);
  if (!plain) ThrowInvalid("a histogram's range or size is out of bounds");
  histogram.exponent_ = exponent;
  if (bins.empty()) return histogram;
  for (const int64_t n : bins) {
    if (n < 0 || n > (int64_t{1} << 50)) ThrowInvalid("a histogram's count is out of bounds");
    histogram.count_ += n;
  }
  const auto last = first_bin + static_cast<int64_t>(bins.size()) - 1;
  if (bins.front() == 0 || bins.back() == 0 || histogram.IndexOf(min) != first_bin || histogram.IndexOf(max) != last)
    ThrowInvalid("a histogram's bins do not end where its values do");
  bins.resize(kBins, 0);
  histogram.counts_ = std::move(bins);
  histogram.base_ = first_bin;
  histogram.min_ = min;
  histogram.max_ = max;
  return histogram;
}

}  // namespace tenon
