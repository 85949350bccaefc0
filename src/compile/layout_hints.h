#pragma once
#include "ir/graph.h"

namespace tenon {

/// Which axis of an operand kernels want to be contiguous.
struct LayoutHint {
  int axis = -1;          ///< -1: any layout is fine
  int other_axis = -1;    ///< this one will do as well
  bool required = false;  ///< without it the step can't run on the fast kernels: worth a copy
};

LayoutHint InputHint(const Node& node, size_t index);
LayoutHint OutputHint(const Node& node, size_t index);

}  // namespace tenon
