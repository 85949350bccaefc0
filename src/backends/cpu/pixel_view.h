#pragma once
#include <array>
#include <string>

#include "backends/cpu/cpu_device.h"
#include "backends/kernel.h"

namespace tenon::cpu {

/// A channels-last operand [N, C, (D, (H,)) W] seen as pixels of contiguous channels: strides in bytes.
struct PixelView {
  int64_t images = 1, channels = 1, image_stride = 0;
  std::array<int64_t, 3> size = {1, 1, 1};  ///< depth, height, width
  std::array<int64_t, 3> stride = {0, 0, 0};

  int64_t pixels() const { return size[0] * size[1] * size[2]; }
};

/// Why kernels over pixels can't take the operand; empty when they can.
std::string PixelObstacle(const KernelOperand& operand, const CpuDevice& device);
/// The operand must have passed PixelObstacle.
PixelView MakePixelView(const KernelOperand& operand);

/// The image and the place in it of pixel `index`, counted over all images in row-major order.
struct PixelIndex {
  int64_t image = 0;
  std::array<int64_t, 3> at = {0, 0, 0};
};
PixelIndex LocatePixel(const PixelView& view, int64_t index);
/// Byte offset of a pixel's first channel.
int64_t PixelOffset(const PixelView& view, const PixelIndex& pixel);

}  // namespace tenon::cpu
