#pragma once
#include "passes/pass.h"

namespace tenon {

/// A Conv over a Focus layer (Concat of the slices of x with step s from every offset: space to depth, in YOLOX and
/// early YOLOv5) becomes one Conv over x with an s times larger kernel and stride: the same products, and the strided
/// copies of the image are gone.
/// Precondition: static shapes; slices with constant bounds. Postcondition: no such pair is left.
/// Why here: before assign_precision, which then sees a Conv that reads the image.
/// Numeric effect: reassociates (the order of the sum).
bool FoldFocus(Graph& graph, const PassContext& context);

}  // namespace tenon
