#pragma once
#include "passes/pass.h"

namespace tenon {

/// Takes what follows a Conv, ConvTranspose or MatMul into its epilogue: a bias Add, an activation, the Add of a
/// residual, an activation without parameters after it.
/// Precondition: activations are recognised; BatchNorm is folded. Postcondition: no such op follows a fusable node that
/// has no other reader. Of two fusable operands of an Add the later one takes it, so that the other is dead sooner.
/// Why here: after recognise_activations and fuse_attention (the scale and mask of attention belong to it).
/// Numeric effect: a bias joins an existing one (reassociates); else as before, but rounded once, at the store.
bool FuseEpilogue(Graph& graph, const PassContext& context);

}  // namespace tenon
