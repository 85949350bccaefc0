#pragma once
#include "passes/pass.h"

namespace tenon {

/// A nearest upsample by 2 of a Conv's result becomes a second output of the Conv (Conv::upsample): its kernel stores
/// each pixel to both places, so that the step, and its reading of the tensor, go away.
/// Precondition: static shapes. Postcondition: no such Resize of an ungrouped 2-D Conv is left, except as a graph
/// output. Why here: last; the other passes know one output per Conv. Numeric effect: exact.
bool FuseUpsample(Graph& graph, const PassContext& context);

}  // namespace tenon
