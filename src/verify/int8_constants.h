#pragma once
#include "engine/program.h"
#include "ops/quantization.h"

namespace tenon {

/// The constants of a Conv in INT8 as an engine holds them.
struct Int8Constants {
  Tensor weights;  ///< i8 [OC, IC/groups, ...]
  Tensor scales;   ///< f32 [OC]: a weight is its level times its channel's scale
  Tensor bias;     ///< f32 [OC]; null: none
  AffineScale x;   ///< of the activations that it reads, u8
};

/// How far these are from the float Conv that they were made of, over what making them explains; above 1 they come from
/// something else. What is explained:
///   a weight, rounded up or down (AdaRound may take the farther one), is less than one level off;
///   a weight that was clipped has the outermost level, and is at most 1 / kLeastRange times as far out;
///   a bias makes up for what the rounding of its channel's weights adds on average, for some mean of each input
///   channel within the range of x; one mean for all taps, as calibration has it.
/// Infinity where shapes or types differ, or nothing would explain a value.
/// @param weights f32, of the float Conv; @param bias f32 or null
double Int8Deviation(const Int8Constants& held, const Tensor& weights, const Tensor& bias);

}  // namespace tenon
