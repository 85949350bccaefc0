#pragma once
#include <array>
#include <string_view>

namespace tenon {

/// Pointwise functions that a Conv or MatMul can apply before it stores; alpha and beta as ONNX defines them.
enum class Activation {
  kNone,
  kRelu,
  kLeakyRelu,  ///< alpha * x where x < 0
  kClip,       ///< min(max(x, alpha), beta)
  kSilu,       ///< x * sigmoid(x)
  kSigmoid,
  kHardSigmoid,  ///< clip(alpha * x + beta, 0, 1)
  kHardSwish,    ///< x * clip(x / 6 + 0.5, 0, 1)
  kTanh,
  kGeluErf,
  kGeluTanh,
  kMish,  ///< x * tanh(softplus(x))
  kElu,   ///< alpha * (exp(x) - 1) where x < 0
};
inline constexpr std::array<std::string_view, 13> kActivationNames = {
    "none",       "relu", "leaky_relu", "clip",      "silu", "sigmoid", "hard_sigmoid",
    "hard_swish", "tanh", "gelu_erf",   "gelu_tanh", "mish", "elu"};

/// The activation in double precision: the definition that every kernel is checked against.
double ApplyActivation(Activation activation, double x, double alpha, double beta);

}  // namespace tenon
