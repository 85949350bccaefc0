#pragma once
#include <vector>

namespace onnx {
class GraphProto;
}

namespace tenon {

/// The indices of a graph's nodes in an order in which every value is made before it is used; the file's own order
/// where that does. ONNX asks for sorted nodes, but float16 converters append their casts at the end.
/// Throws Error(kInvalidInput) when nodes depend on each other in a cycle.
std::vector<int> SortedNodes(const onnx::GraphProto& graph);

}  // namespace tenon
