#pragma once
#include "backends/kernel.h"

namespace tenon::cuda {

/// Byte strides of an N x C (x H) x W operand.
struct ImageStrides {
  int64_t image, row, pixel, channel;
  explicit ImageStrides(const KernelOperand& operand)
      : image(operand.strides_bytes[0]),
        row(operand.shape.size() == 4 ? operand.strides_bytes[2] : 0),
        pixel(operand.strides_bytes.back()),
        channel(operand.strides_bytes[1]) {}
};

/// Whether the channels of every pixel are aligned vectors of so many bytes.
inline bool AreVectors(const KernelOperand& operand, int64_t bytes) {
  const ImageStrides s(operand);
  return operand.shape[1] * SizeOf(operand.dtype) % bytes == 0 && s.channel == SizeOf(operand.dtype) &&
         operand.alignment_bytes >= bytes && s.image % bytes == 0 && s.row % bytes == 0 && s.pixel % bytes == 0;
}

}  // namespace tenon::cuda
