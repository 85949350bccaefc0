#pragma once
#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "ir/types.h"

namespace tenon {

/// Kernel, stride, dilation and padding along one spatial axis.
struct WindowAxis {
  int64_t kernel = 1, stride = 1, dilation = 1, pad_begin = 0, pad_end = 0;
  int64_t extent() const { return dilation * (kernel - 1) + 1; }
};

/// A sliding window over 1 to 3 spatial axes, outermost first.
struct Window {
  std::vector<WindowAxis> axes;

  /// From the attributes of a conv or pool; empty strides, dilations, pads mean 1s, 1s, 0s. Throws Error(kInvalidInput)
  /// when lengths don't match, or a value is out of range (kernel, stride, dilation >= 1, pads >= 0, all <= 2^24).
  static Window Make(std::string_view op, const std::vector<int64_t>& kernel, const std::vector<int64_t>& strides,
                     const std::vector<int64_t>& dilations, const std::vector<int64_t>& pads);
  /// The same window seen as 3-D: leading axes of kernel 1 added.
  std::array<WindowAxis, 3> As3D() const;
};

/// The last up to three dimensions of a [N, C, spatial...] shape as depth, height, width.
std::array<int64_t, 3> SpatialAs3D(const Shape& shape);

/// Output positions of a window along an axis of `in` elements, rounded down. Throws where the window doesn't fit.
int64_t WindowOutput(std::string_view op, int64_t in, const WindowAxis& axis);

/// Throws unless the spatial dimensions of a [N, C, spatial...] shape are 1 to 3 and small enough for index arithmetic.
void CheckSpatialShape(std::string_view op, const Shape& shape);

/// Output positions o in [begin, end) whose tap o * stride + offset lies in [0, in).
struct TapRange {
  int64_t begin = 0, end = 0;
};
TapRange ValidOutputs(int64_t offset, int64_t stride, int64_t in, int64_t out);

}  // namespace tenon
