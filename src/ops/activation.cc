#include "ops/activation.h"

#include <algorithm>
#include <cmath>

namespace tenon {

double ApplyActivation(Activation activation, double x, double alpha, double beta) {
  const auto sigmoid = [](double v) { return 1.0 / (1.0 + std::exp(-v)); };
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return x < 0 ? 0 : x;
    case Activation::kLeakyRelu:
      return x < 0 ? alpha * x : x;
    case Activation::kClip:
      return std::min(std::max(x, alpha), beta);
    case Activation::kSilu:
      return x * sigmoid(x);
    case Activation::kSigmoid:
      return sigmoid(x);
    case Activation::kHardSigmoid:
      return std::min(std::max(alpha * x + beta, 0.0), 1.0);
    case Activation::kHardSwish:
      return x * std::min(std::max(x / 6.0 + 0.5, 0.0), 1.0);
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kGeluErf:
      return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0)));
    case Activation::kGeluTanh:
      return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
    case Activation::kMish:
      return x * std::tanh(x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)));
    case Activation::kElu:
      return x < 0 ? alpha * std::expm1(x) : x;
  }
  return x;
}

}  // namespace tenon
