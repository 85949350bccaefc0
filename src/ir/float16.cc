#include "ir/float16.h"

#include <cmath>

namespace tenon {

Float16::Float16(float value) {
  const uint32_t word = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>((word >> 16) & 0x8000u);
  const uint32_t magnitude = word & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {  // NaN: keep it one, whatever its payload
    bits = sign | 0x7e00u;
  } else if (magnitude >= 0x477ff000u) {  // rounds past 65504
    bits = sign | 0x7c00u;
  } else if (magnitude < 0x38800000u) {  // subnormal half: the grid is 2^-24
    bits = sign | static_cast<uint16_t>(std::nearbyint(std::bit_cast<float>(magnitude) * 16777216.0f));
  } else {
    const uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
    bits = sign | static_cast<uint16_t>((rounded - 0x38000000u) >> 13);
  }
}

Float16::operator float() const {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  const uint32_t exponent = (bits >> 10) & 31u;
  const uint32_t mantissa = bits & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 5.9604644775390625e-8f;  // 2^-24
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

}  // namespace tenon
