#pragma once
#include "passes/pass.h"

namespace tenon {

/// i8 activations become u8 with the zero point moved by 128: QuantizeLinear to i8 that only DequantizeLinear reads.
/// Precondition: none. Postcondition: no such pair is left.
/// Why here: before the others, so that kernels meet one form.
/// Numeric effect: exact.
bool UnsignActivations(Graph& graph, const PassContext& context);

/// Tensors stay in 8 bits where ops only move, select or take maxima of their elements: DequantizeLinear sinks below
/// such ops, QuantizeLinear rises above them, and a QuantizeLinear right after the DequantizeLinear of the same scale
/// goes. Where scales differ (a Concat of them) a DequantizeLinear and QuantizeLinear pair rescales.
/// Precondition: one constant scale per tensor. Postcondition: no such pair is left around such an op.
/// Why here: before quantised convs are formed, which look at their neighbours alone.
/// Numeric effect: exact.
bool MoveQuantization(Graph& graph, const PassContext& context);

}  // namespace tenon
