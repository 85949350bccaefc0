#include "ops/quantization.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace tenon {

float StepsPerUnit(const AffineScale& y, float factor) { return 1.0f / (y.scale / factor); }

uint8_t AffineScale::QuantizeToU8(float y, float steps_per_unit) const {
  const float shifted = std::nearbyint(y * steps_per_unit) + static_cast<float>(zero_point);
  return std::isnan(shifted) ? 0 : static_cast<uint8_t>(std::clamp(shifted, 0.0f, 255.0f));
}

void Quantization::VisitAttrs(AttrVisitor& visitor) {
  visitor.Float("x_scale", x.scale);
  visitor.Int("x_zero_point", x.zero_point);
  visitor.Float("residual_scale", residual.scale);
  visitor.Int("residual_zero_point", residual.zero_point);
  visitor.Float("y_scale", y.scale);
  visitor.Int("y_zero_point", y.zero_point);
}

void Quantization::Check(std::string_view op) const {
  for (const AffineScale& tensor : {x, residual, y}) {
    // A subnormal scale has no finite inverse.
    if (!std::isfinite(1.0f / tensor.scale) || !std::isfinite(tensor.scale) || tensor.scale <= 0)
      ThrowInvalid("{}: scale {} is not a finite positive number", op, tensor.scale);
    if (tensor.zero_point < 0 || tensor.zero_point > 255)
      ThrowInvalid("{}: zero point {}, expected 0 to 255", op, tensor.zero_point);
  }
}

}  // namespace tenon
