#pragma once
#include <array>
#include <span>
#include <vector>

#include "ops/conv.h"
#include "ops/window.h"

namespace tenon {

/// What the weights of a conv meet: second moments of its patches. A patch is the elements of x that one output pixel
/// of one group is made of, in the order of the weights [IC/groups, taps]; those outside the image are 0.
class PatchMoments {
 public:
  /// @param input, output shapes N x C x ... of x and y @param weights [OC, IC/groups, K...]
  PatchMoments(const Conv& conv, const Shape& input, const Shape& weights, const Shape& output);

  int64_t groups() const { return groups_; }
  int64_t patch_size() const { return channels_ * taps_; }
  /// Adds the patches of one x at so many output pixels of each image, evenly spread (at all, where there are fewer).
  void Add(std::span<const float> x, int64_t pixels_per_image);
  /// E[(p - E[p]) (p - E[p])^T] of a group's patches p, row-major. Zeros where no patch was added.
  std::vector<float> Covariance(int64_t group) const;
  /// E[p] of a group's patches.
  std::vector<double> Mean(int64_t group) const;

  /// FP32 numbers that are held for such a conv.
  static int64_t HeldElems(const Conv& conv, const Shape& weights);

 private:
  void Gather(std::span<const float> image, int64_t group, int64_t pixel, std::span<float> patch) const;
  void AddProducts(int64_t group, std::span<const float> patches);

  std::array<WindowAxis, 3> window_;
  std::array<int64_t, 3> in_, out_;
  int64_t images_, groups_, channels_, taps_;  ///< channels of one group
  int64_t count_ = 0;
  std::vector<float> products_;  ///< sums per group: [patch, patch], the upper triangle alone
  std::vector<double> sums_;     ///< [groups, patch]
};

}  // namespace tenon
