#pragma once
#include <optional>

#include "compile/views.h"

namespace tenon {

/// Two values that share memory. kReshape and kTranspose work in both directions; kInside: `inner` is a part of
/// `outer` (Slice, Split, Expand: the output inside the input; Concat: an input inside the output).
struct ViewLink {
  enum class Kind { kReshape, kTranspose, kInside } kind;
  Node* node;
  Value* outer;  ///< the node's input for kReshape and kTranspose
  Value* inner;  ///< the node's output for kReshape and kTranspose
  size_t index;  ///< which output (Split) or input (Concat)
};

/// Whether the node only says which elements its output has, so that it can be a view: reshape, transpose, slice with
/// positive steps, split, expand, concat; with constant parameters.
bool IsViewNode(const Node& node);

/// Place of the other end of `link`: from outer to inner (of kReshape, kTranspose: input to output) when `forward`.
/// nullopt when no strides can express it.
std::optional<Place> FollowLink(const ViewLink& link, const Place& place, bool forward);

}  // namespace tenon
