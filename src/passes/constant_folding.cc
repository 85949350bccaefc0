#include "passes/constant_folding.h"

#include <algorithm>

#include "ops/conv.h"
#include "ops/evaluate.h"
#include "ops/quantize.h"
#include "ops/shape.h"
#include "passes/quantized_values.h"
#include "passes/rewrite.h"

namespace tenon {
namespace {

/// A value that depends on the operand's shape, not on its elements.
std::optional<Tensor> ValueOfShape(const Node& node) {
  if (node.inputs().size() != 1 || !node.input(0)->has_shape()) return {};
  const Shape& shape = node.input(0)->shape();
  if (const auto* shape_of = node.As<ShapeOf>()) return shape_of->Value(shape);
  if (node.As<Size>()) return Tensor::Scalar<int64_t>(ElemCount(shape));
  return {};
}

/// Operands as tensors; nothing unless all are constant. A node without operands makes random numbers.
std::optional<std::vector<Tensor>> ConstantOperands(const Node& node) {
  if (node.inputs().empty()) return {};
  std::vector<Tensor> operands;
  for (const Value* input : node.inputs()) {
    if (input && !input->is_constant()) return {};
    operands.push_back(input ? input->constant() : Tensor());
  }
  return operands;
}

/// Weights that stay in 8 bits because their op reads an activation that was in 8 bits too.
bool IsQuantizedWeights(const Node& node) {
  if (!node.As<DequantizeLinear>() || SizeOf(node.input(0)->dtype()) != 1) return false;
  const std::vector<Node*>& users = node.output()->users();
  return !users.empty() && std::all_of(users.begin(), users.end(), [&](const Node* user) {
    return user->As<Conv>() && user->input(1) == node.output() && IsDequantized(user->input(0));
  });
}

std::optional<std::vector<Tensor>> FoldNode(const Node& node, FoldingBudget& budget) {
  if (auto value = ValueOfShape(node)) return std::vector<Tensor>{*std::move(value)};
  const auto operands = ConstantOperands(node);
  if (!operands || IsQuantizedWeights(node) || !budget.Take(node)) return {};
  try {
    return node.op().Evaluate(*operands);
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{} (node {}, op {})", error.what(), node.name(), node.op().name()));
  }
}

void ReplaceByConstants(Graph& graph, Node* node, const std::vector<Tensor>& results) {
  for (size_t i = 0; i < results.size(); ++i) {
    Value* output = node->output(i);
    if (!output) continue;
    const std::string name = output->name();
    Value* constant = graph.AddConstant(results[i]);
    graph.ReplaceAllUses(output, constant);
    graph.DropOutput(node, i);
    graph.Rename(constant, name);
  }
  graph.Erase(node);
}

}  // namespace

bool FoldConstants(Graph& graph, const PassContext&) {
  bool changed = false;
  FoldingBudget budget;
  for (Node* node : graph.NodeList()) {
    const auto results = FoldNode(*node, budget);
    if (!results) continue;
    ReplaceByConstants(graph, node, *results);
    changed = true;
  }
  if (changed) graph.InferTypes();  // shapes that depended on values may be static now
  return changed;
}

}  // namespace tenon
