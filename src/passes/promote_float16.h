#pragma once
#include "passes/pass.h"

namespace tenon {

/// Models with FP16 weights (exported with half=True) compute in FP32: CPUs multiply no FP16, and precision is chosen
/// when compiling, not when exporting. FP16 inputs and outputs of the graph keep their type, with a Cast behind and
/// before. Precondition: none. Postcondition: no value but graph inputs and outputs is FP16. Why here: first, so that
/// every other pass sees the types that will be computed with. Numeric effect: more exact than the model as written:
/// intermediates are no longer rounded to FP16.
bool PromoteFloat16(Graph& graph, const PassContext& context);

/// The other way, for half ONNX files (no pass of any list): FP32 values become FP16, but for graph inputs and outputs.
/// Numeric effect: approximates; numbers beyond 65504 become infinite.
void DemoteToFloat16(Graph& graph);

}  // namespace tenon
