#pragma once
#include "ops/activation.h"

namespace tenon::cpu {

/// An activation with its parameters, as a kernel applies it to its accumulators.
struct ActivationSpec {
  Activation kind = Activation::kNone;
  float alpha = 0;
  float beta = 0;

  friend bool operator==(const ActivationSpec&, const ActivationSpec&) = default;
};

}  // namespace tenon::cpu
