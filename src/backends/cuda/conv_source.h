#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "backends/cuda/conv_problem.h"
#include "backends/cuda/conv_tactic.h"
#include "backends/cuda/kernel_source.h"

namespace tenon::cuda {

/// The kernel of a flattened, supported problem and a tactic that fits.
KernelSource MakeConvSource(const ConvProblem& problem, const ConvTactic& tactic);

/// Constant operands, as ops/conv.h has them.
struct ConvConstants {
  std::span<const float> weights;        ///< [OC][IC / groups][KH][KW]; INT8: the integers
  std::span<const float> bias;           ///< [OC] or empty
  std::span<const float> weight_scales;  ///< INT8: [OC]
};

/// What the kernel reads as ConvArgs::packed: weights, biases, and for INT8 multipliers and first sums
/// (-zero point * sum of the channel's weights). Depends on the kernel of the tactic, not on its tiles.
std::vector<std::byte> PackConv(const ConvProblem& problem, const ConvTactic& tactic, const ConvConstants& constants);

/// The inverse, rounded as they were packed: weights [OC][IC / groups][KH][KW], biases [OC].
std::vector<float> UnpackConvWeights(const ConvProblem& problem, const ConvTactic& tactic,
                                     std::span<const std::byte> packed);
std::vector<float> UnpackConvBias(const ConvProblem& problem, const ConvTactic& tactic,
                                  std::span<const std::byte> packed);

}  // namespace tenon::cuda
