#include "backends/cpu/pixel_view.h"

#include <fmt/format.h>

namespace tenon::cpu {

std::string PixelObstacle(const KernelOperand& operand, const CpuDevice& device) {
  const size_t rank = operand.shape.size();
  if (rank < 3 || rank > 5) return fmt::format("{} is no [N, C, spatial...] tensor", ToString(operand.shape));
  const bool is_bf16 = operand.dtype == DType::kBFloat16;
  if (operand.dtype != DType::kFloat32 && !is_bf16) return fmt::format("elements are {}", ToString(operand.dtype));
  if (is_bf16 && !device.features.avx512) return "bf16 needs AVX-512";
  if (operand.shape[1] != 1 && operand.strides_bytes[1] != SizeOf(operand.dtype)) return "channels are not contiguous";
  return {};
}

PixelView MakePixelView(const KernelOperand& operand) {
  PixelView view{.images = operand.shape[0], .channels = operand.shape[1], .image_stride = operand.strides_bytes[0]};
  const size_t spatial = operand.shape.size() - 2;
  for (size_t d = 0; d < spatial; ++d) {
    view.size[3 - spatial + d] = operand.shape[2 + d];
    view.stride[3 - spatial + d] = operand.strides_bytes[2 + d];
  }
  return view;
}

PixelIndex LocatePixel(const PixelView& view, int64_t index) {
  PixelIndex pixel;
  for (size_t d = 3; d-- > 0;) {
    pixel.at[d] = index % view.size[d];
    index /= view.size[d];
  }
  pixel.image = index;
  return pixel;
}

int64_t PixelOffset(const PixelView& view, const PixelIndex& pixel) {
  int64_t offset = pixel.image * view.image_stride;
  for (size_t d = 0; d < 3; ++d) offset += pixel.at[d] * view.stride[d];
  return offset;
}

}  // namespace tenon::cpu
