#include "onnx/constant_folder.h"

#include <algorithm>

#include "ops/evaluate.h"

namespace tenon {
namespace {

bool OperandsAreConstant(const Node& node) {
  return std::all_of(node.inputs().begin(), node.inputs().end(), [](const Value* v) { return !v || v->is_constant(); });
}

/// Quantised weights must stay quantised: DequantizeLinear on a constant carries the model's scales.
bool MustStay(const Node& node) { return node.op().name() == "DequantizeLinear"; }

}  // namespace

bool ConstantFolder::Fold(Graph& graph, const Node& node) {
  if (replacements_.contains(node.output(0))) return true;
  if (!OperandsAreConstant(node) || MustStay(node) || !budget_.Take(node)) return false;
  std::vector<Tensor> operands;
  for (const Value* input : node.inputs()) operands.push_back(input ? input->constant() : Tensor());
  const std::vector<Tensor> results = node.op().Evaluate(operands);
  for (size_t i = 0; i < node.outputs().size(); ++i) {
    Value* constant = graph.AddConstant(results.at(i), node.output(i)->name());
    graph.ReplaceAllUses(node.output(i), constant);
    replacements_[node.output(i)] = constant;
  }
  return true;
}

Value* ConstantFolder::Replacement(Value* value) const {
  const auto found = replacements_.find(value);
  return found == replacements_.end() ? value : found->second;
}

}  // namespace tenon
