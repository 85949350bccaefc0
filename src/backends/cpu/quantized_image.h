#pragma once
#include <array>
#include <cstdint>
#include <optional>

#include "engine/program.h"

namespace tenon {

/// The image of a program that quantises it before all else and reads it nowhere else: bytes of pixels can then be put
/// there straight away.
struct QuantizedImage {
  int64_t offset_bytes = 0;  ///< in the arena
  Shape shape;
  int64_t batch_pitch = 0, row_pitch = 0;  ///< in bytes
  Tensor scale, zero_point;                ///< a null zero_point is none

  /// What the quantisation makes of the elements of a byte's table.
  std::array<uint8_t, 256> Quantize(const std::array<float, 256>& values) const;
};

/// Of the program's first step; nothing where that does something else, or others read the image too.
std::optional<QuantizedImage> FindQuantizedImage(const Program& program);

}  // namespace tenon
