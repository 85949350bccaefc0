#pragma once
#include <string>

#include "ir/graph.h"

namespace tenon {

/// The graph as an ONNX model of standard ops (opset 20, IR version 9), with the graph's metadata: what fusion joined
/// is written out again (a Conv's activation and residual, attention), each value once. Value names are kept where the
/// format allows it; inputs and outputs always.
/// For float graphs, with or without Q and DQ, as they are after the float passes. Throws Error(kInvalidInput) naming
/// the node for what standard ops can't say (kernels of integers, bfloat16, generated regions, block-wise scales).
std::string PrintOnnx(const Graph& graph);

/// Writes PrintOnnx's bytes: the whole file or none. Throws Error(kInvalidInput) for a path that can't be written, too.
/// @return bytes written
int64_t WriteOnnx(const Graph& graph, const std::string& path);

}  // namespace tenon
