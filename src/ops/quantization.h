#pragma once
#include <cstdint>

#include "ir/op.h"

namespace tenon {

/// A tensor's affine mapping: real value = (stored - zero_point) * scale.
struct AffineScale {
  float scale = 1;
  int64_t zero_point = 0;

  bool operator==(const AffineScale&) const = default;
  /// The real value, in FP32.
  float Dequantize(int64_t stored) const { return static_cast<float>(stored - zero_point) * scale; }
  /// saturate(round_half_even(y * (1 / scale)) + zero_point) to u8, in FP32: what an integer epilogue stores. NaN gives
  /// 0.
  uint8_t QuantizeToU8(float y) const { return QuantizeToU8(y, 1.0f / scale); }
  /// The same with another number of steps per unit.
  uint8_t QuantizeToU8(float y, float steps_per_unit) const;
};

/// Steps of the grid that a unit of y is worth where a channel is stored with the scale y.scale / factor.
float StepsPerUnit(const AffineScale& y, float factor);

/// How a Conv or MatMul with `compute == kInt8` reads and stores u8 tensors. The residual's and the output's count only
/// where those tensors are u8. Zero points are 0 to 255, scales finite and positive.
struct Quantization {
  AffineScale x, residual, y;

  bool operator==(const Quantization&) const = default;
  void VisitAttrs(AttrVisitor& visitor);
  /// Throws Error(kInvalidInput) for a scale or zero point outside its range.
  void Check(std::string_view op) const;
};

}  // namespace tenon
