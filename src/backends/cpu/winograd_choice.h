#pragma once
#include <span>

#include "backends/cpu/winograd_conv.h"

namespace tenon::cpu {

/// Cycles of the transforms of one tile, per image and layer shape: all input channels, and one vector of output
/// channels. What the cost models know of them.
double WinogradInputCycles(const ConvProblem& problem, WinogradForm form, int lanes);
double WinogradOutputCycles(WinogradForm form);

/// Whether the form is the way to compute a problem that it can compute: faster than the direct
/// convolution and than the other forms by the cost model, and exact enough with these weights. Pure, and blind to
/// batch size and threads: the rounding of a layer, and so the bits of its result, must not depend on them.
/// @param weights [OC, IC, 3, 3]
bool PrefersWinograd(const ConvProblem& problem, WinogradForm form, const CpuFeatures& features,
                     std::span<const float> weights);

/// What the roundings of the form in BF16 add, relative: the root mean square over a sample of
/// outputs of the difference from exact sums, by that of the sums. Inputs are drawn like activations behind SiLU,
/// always the same ones.
double WinogradError(const ConvProblem& problem, WinogradForm form, std::span<const float> weights);

}  // namespace tenon::cpu
