#include "passes/remove_no_ops.h"

#include <algorithm>

#include "ops/index.h"
#include "ops/pad.h"
#include "ops/resize.h"
#include "passes/rewrite.h"

namespace tenon {
namespace {

Tensor ConstantOrNull(const Node& node, size_t i) { return node.input(i) ? node.input(i)->constant() : Tensor(); }

bool AllConstant(const Node& node, size_t first) {
  for (size_t i = first; i < node.inputs().size(); ++i) {
    if (node.input(i) && !node.input(i)->is_constant()) return false;
  }
  return true;
}

/// The output has the input's shape, so the ranges are whole; only a negative step could still change something.
bool IsWholeSlice(const Node& node) {
  const auto steps = ConstantInts(node.input(4));
  return !node.input(4) || (steps && std::all_of(steps->begin(), steps->end(), [](int64_t step) { return step > 0; }));
}

bool IsIdentityResize(const Node& node) {
  if (!AllConstant(node, 1)) return false;
  const auto axes = ResolveResize(*node.As<Resize>(), node.input(0)->shape(), ConstantOrNull(node, 1),
                                  ConstantOrNull(node, 2), ConstantOrNull(node, 3));
  return std::all_of(axes.begin(), axes.end(), [](const ResizeAxis& axis) { return axis.IsIdentity(); });
}

/// Padding and cropping could leave the shape too.
bool AddsNothing(const Node& node) {
  if (!AllConstant(node, 1)) return false;
  const auto ranges = ResolvePads(node.input(0)->shape(), node.input(1)->constant(), ConstantOrNull(node, 3));
  return std::all_of(ranges.begin(), ranges.end(),
                     [](const PadRange& range) { return range.before == 0 && range.after == 0; });
}

/// Ops that return their operand when the shape stays.
bool IsShapeNoOp(const Node& node) {
  if (node.As<Resize>()) return IsIdentityResize(node);
  if (node.As<Pad>()) return AddsNothing(node);
  if (node.As<Slice>()) return IsWholeSlice(node);
  if (node.As<Concat>()) return node.inputs().size() == 1;
  if (node.As<Split>()) return node.outputs().size() == 1;
  if (const auto* transpose = node.As<Transpose>())
    return std::is_sorted(transpose->perm.begin(), transpose->perm.end()) && !transpose->perm.empty();
  return node.As<Reshape>() || node.As<Expand>() || node.As<Tile>();
}

bool IsArithmeticNoOp(const Node& node) {
  const auto* binary = node.As<Binary>();
  if (!binary || SplatValue(node.input(1)) != 1.0) return false;
  return binary->kind == BinaryKind::kMul || binary->kind == BinaryKind::kDiv || binary->kind == BinaryKind::kPow;
}

bool IsNoOp(const Node& node) {
  if (const auto* unary = node.As<Unary>()) return unary->kind == UnaryKind::kIdentity;
  if (const auto* cast = node.As<Cast>()) return cast->to == node.input(0)->dtype();
  return SameShape(node.input(0), node.output()) && (IsShapeNoOp(node) || IsArithmeticNoOp(node));
}

}  // namespace

bool RemoveNoOps(Graph& graph, const PassContext&) {
  bool changed = false;
  for (Node* node : graph.NodeList()) {
    if (!node->output(0) || !node->input(0) || !IsNoOp(*node) || !MayForward(graph, node->output(), node->input(0)))
      continue;
    ReplaceValue(graph, node->output(), node->input(0));
    changed = true;
  }
  return changed;
}

}  // namespace tenon
