#pragma once
#include "passes/pass.h"

namespace tenon {

/// A constant Pad of the spatial axes becomes part of the pads of what reads it: zeros before a Conv or an average
/// Pool that counts its padding, the lowest number before a max Pool.
/// Precondition: pads are constants. Postcondition: no such pair is left.
/// Why here: with the folding passes; the padded copy of the tensor is gone.
/// Numeric effect: exact.
bool FoldPads(Graph& graph, const PassContext& context);

}  // namespace tenon
