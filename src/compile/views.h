#pragma once
#include <unordered_map>
#include <vector>

#include "compile/layout_hints.h"
#include "ir/graph.h"

namespace tenon {

/// A root buffer that values lie in.
struct Storage {
  enum class Kind { kArena, kInput, kOutput, kConstant } kind = Kind::kArena;
  int index = 0;  ///< of the graph input or output
  const Value* constant = nullptr;
  int64_t size_bytes = 0;
};

/// Where a value lies: element (i0, ...) at storage + offset + sum(i_d * strides[d]).
struct Place {
  int storage = -1;
  int64_t offset_bytes = 0;
  std::vector<int64_t> strides_bytes;
};

struct ViewPlan {
  std::vector<Storage> storages;
  std::unordered_map<const Value*, Place> placements;
  /// Nodes that cost nothing: their outputs are views (of their inputs, or their inputs of them).
  std::vector<const Node*> free_nodes;
  int copies_inserted = 0;
};

/// Gives every value a place so that concat, split, slice, reshape, transpose and expand cost nothing where that is
/// possible: producers write where consumers read. Where it isn't (one value in two concats, a graph output inside
/// another value, a layout that a kernel can't take), identity nodes that copy are inserted into the graph.
/// Precondition: all shapes static.
ViewPlan PlanViews(Graph& graph);

/// Strides of `to` when the elements of `from` (with these strides) are seen row-major as shape `to`; nullopt when no
/// strides can say that. Both shapes have the same element count.
std::optional<std::vector<int64_t>> ReshapeStrides(const Shape& from, const std::vector<int64_t>& strides,
                                                   const Shape& to);

}  // namespace tenon
