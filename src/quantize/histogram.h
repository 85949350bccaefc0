#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace tenon {

/// Counts of a stream of numbers in kBins bins of one power-of-two width, on a grid through 0. Numbers outside double
/// the width, two bins becoming one: memory stays, and the result depends on what was added, not on its order. Numbers
/// that are not finite count apart.
class Histogram {
 public:
  static constexpr int kBins = 4096;

  /// Each of the numbers counts `weight` times.
  void Add(std::span<const float> values, int64_t weight = 1);
  void Merge(const Histogram& other);

  bool empty() const { return count_ == 0; }
  int64_t count() const { return count_; }  ///< finite numbers, each as often as it counts
  int64_t non_finite() const { return non_finite_; }
  float min() const { return min_; }
  float max() const { return max_; }
  /// Bins from the first to the last that holds something. Bin i covers [(first_bin + i) * width, + width).
  double width() const;
  int64_t first_bin() const;
  std::span<const int64_t> bins() const;
  double BinCentre(int64_t i) const { return (static_cast<double>(first_bin() + i) + 0.5) * width(); }

  /// A histogram from its parts (a file's). Throws Error(kInvalidInput) when they don't fit each other.
  static Histogram FromParts(int exponent, int64_t first_bin, std::vector<int64_t> bins, float min, float max,
                             int64_t non_finite);
  int exponent() const { return exponent_; }

 private:
  static constexpr int kLowestExponent = -60, kHighestExponent = 120;
  int64_t IndexOf(float value) const;
  /// Makes [low, high] fit the bins.
  void Cover(float low, float high);
  void CoverIndices(int64_t low, int64_t high);
  void Halve();

  int exponent_ = kLowestExponent;  ///< the width is 2^exponent_
  int64_t base_ = 0;                ///< grid index of counts_[0]
  std::vector<int64_t> counts_;     ///< empty, or kBins
  int64_t count_ = 0, non_finite_ = 0;
  float min_ = 0, max_ = 0;
};

}  // namespace tenon
