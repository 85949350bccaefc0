#include "ops/window.h"

#include <algorithm>

#include "base/error.h"

namespace tenon {
namespace {

constexpr int64_t kMaxAttr = int64_t{1} << 24;
// With dimensions up to 2^40 and attributes up to 2^24, no index expression of a window overflows 64 bits.
constexpr int64_t kMaxDim = int64_t{1} << 40;

int64_t Attr(std::string_view op, std::string_view name, const std::vector<int64_t>& values, size_t i, size_t count,
             int64_t fallback, int64_t min) {
  if (values.empty()) return fallback;
  if (values.size() != count) ThrowInvalid("{}: {} has {} values, expected {}", op, name, values.size(), count);
  if (values[i] < min || values[i] > kMaxAttr)
    ThrowInvalid("{}: {} has {}, expected {} or more", op, name, values[i], min);
  return values[i];
}

}  // namespace

Window Window::Make(std::string_view op, const std::vector<int64_t>& kernel, const std::vector<int64_t>& strides,
                    const std::vector<int64_t>& dilations, const std::vector<int64_t>& pads) {
  const size_t rank = kernel.size();
  if (rank < 1 || rank > 3) ThrowInvalid("{}: {} spatial axes, expected 1 to 3", op, rank);
  Window window;
  for (size_t i = 0; i < rank; ++i) {
    window.axes.push_back({.kernel = Attr(op, "kernel", kernel, i, rank, 1, 1),
                           .stride = Attr(op, "strides", strides, i, rank, 1, 1),
                           .dilation = Attr(op, "dilations", dilations, i, rank, 1, 1),
                           .pad_begin = Attr(op, "pads", pads, i, 2 * rank, 0, 0),
                           .pad_end = Attr(op, "pads", pads, i + rank, 2 * rank, 0, 0)});
  }
  return window;
}

std::array<WindowAxis, 3> Window::As3D() const {
  std::array<WindowAxis, 3> result;
  std::copy(axes.begin(), axes.end(), result.end() - static_cast<int64_t>(axes.size()));
  return result;
}

std::array<int64_t, 3> SpatialAs3D(const Shape& shape) {
  std::array<int64_t, 3> result = {1, 1, 1};
  std::copy(shape.begin() + 2, shape.end(), result.end() - static_cast<int64_t>(shape.size() - 2));
  return result;
}

int64_t WindowOutput(std::string_view op, int64_t in, const WindowAxis& axis) {
  const int64_t room = in + axis.pad_begin + axis.pad_end - axis.extent();
  if (room < 0)
    ThrowInvalid("{}: a window of {} is larger than the padded input of {}", op, axis.extent(), room + axis.extent());
  return room / axis.stride + 1;
}

void CheckSpatialShape(std::string_view op, const Shape& shape) {
  if (shape.size() < 3 || shape.size() > 5) {
    ThrowInvalid({.what = fmt::format("{}: wrong rank", op),
                  .got = ToString(shape),
                  .expected = "N x C x 1 to 3 spatial dimensions"});
  }
  for (const int64_t dim : shape) {
    if (dim > kMaxDim) ThrowInvalid("{}: dimension {} is too large", op, dim);
  }
}

TapRange ValidOutputs(int64_t offset, int64_t stride, int64_t in, int64_t out) {
  // o * stride + offset >= 0  <=>  o >= ceil(-offset / stride)
  const int64_t begin = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
  const int64_t end = in - offset <= 0 ? 0 : (in - offset - 1) / stride + 1;
  return {std::min(begin, out), std::max(std::min(begin, out), std::min(end, out))};
}

}  // namespace tenon
