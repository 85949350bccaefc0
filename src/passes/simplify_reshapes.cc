#include "passes/simplify_reshapes.h"

#include "ops/index.h"
#include "ops/shape.h"
#include "passes/rewrite.h"

namespace tenon {
namespace {

std::vector<int64_t> Permutation(const Transpose& op, size_t rank) {
  std::vector<int64_t> perm = op.perm;
  for (size_t i = rank; perm.size() < rank && i-- > 0;) perm.push_back(static_cast<int64_t>(i));
  return perm;
}

/// Whether dimensions larger than 1 keep their order: then no element moves.
bool KeepsElementOrder(const std::vector<int64_t>& perm, const Shape& shape) {
  int64_t last = -1;
  for (const int64_t axis : perm) {
    if (shape[axis] == 1) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

bool ChangesShapeOnly(const Node& node) {
  if (node.As<Reshape>() || node.As<Squeeze>() || node.As<Unsqueeze>()) return true;
  const auto* transpose = node.As<Transpose>();
  return transpose && KeepsElementOrder(Permutation(*transpose, node.input(0)->shape().size()), node.input(0)->shape());
}

bool HasPlainTarget(const Node& node) {
  return node.As<Reshape>() && ConstantInts(node.input(1)) == node.output()->shape();
}

/// x through all Reshapes above it.
Value* Unreshaped(Value* x) {
  while (ProducerOf<Reshape>(x)) x = x->producer()->input(0);
  return x;
}

bool SimplifyReshape(Graph& graph, Node* node) {
  Value* source = Unreshaped(node->input(0));
  if (source == node->input(0) && HasPlainTarget(*node)) return false;
  const Shape shape = node->output()->shape();
  Reshape reshape;
  reshape.allow_zero = ElemCount(shape) == 0;
  ReplaceByNode(graph, node->output(), std::make_unique<Reshape>(reshape), {source, AddIntsConstant(graph, shape)});
  return true;
}

bool MergeTransposes(Graph& graph, Node* node) {
  const Node* inner = ProducerOf<Transpose>(node->input(0));
  if (!inner) return false;
  const size_t rank = node->input(0)->shape().size();
  const std::vector<int64_t> outer_perm = Permutation(*node->As<Transpose>(), rank);
  const std::vector<int64_t> inner_perm = Permutation(*inner->As<Transpose>(), rank);
  Transpose merged;
  for (const int64_t axis : outer_perm) merged.perm.push_back(inner_perm[axis]);
  ReplaceByNode(graph, node->output(), std::make_unique<Transpose>(merged), {inner->input(0)});
  return true;
}

}  // namespace

bool SimplifyReshapes(Graph& graph, const PassContext&) {
  bool changed = false;
  for (Node* node : graph.NodeList()) {
    if (node->op().op_class() != OpClass::kIndex || !node->output() || !node->output()->has_shape() ||
        !node->input(0)->has_shape())
      continue;
    if (ChangesShapeOnly(*node))
      changed |= SimplifyReshape(graph, node);
    else if (node->As<Transpose>())
      changed |= MergeTransposes(graph, node);
  }
  return changed;
}

}  // namespace tenon
