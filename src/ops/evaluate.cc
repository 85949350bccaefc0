#include "ops/evaluate.h"

#include <algorithm>
#include <unordered_map>

#include "base/interrupt.h"

namespace tenon {
namespace {

void CheckInputs(const Graph& graph, std::span<const Tensor> inputs) {
  if (inputs.size() != graph.inputs().size()) {
    ThrowInvalid({.what = "wrong number of inputs",
                  .where = graph.name,
                  .got = std::to_string(inputs.size()),
                  .expected = std::to_string(graph.inputs().size())});
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Value* expected = graph.inputs()[i];
    if (inputs[i].dtype() == expected->dtype() && (!expected->has_shape() || inputs[i].shape() == expected->shape()))
      continue;
    ThrowInvalid({.what = "wrong input",
                  .where = expected->name(),
                  .got = ToString(inputs[i].type()),
                  .expected = ToString(expected->type())});
  }
}

std::vector<Tensor> EvaluateNode(const Node& node, std::span<const Tensor> operands) {
  try {
    return node.op().Evaluate(operands);
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{} (node {}, op {})", error.what(), node.name(), node.op().name()));
  }
}

}  // namespace

std::vector<Tensor> EvaluateGraph(const Graph& graph, std::span<const Tensor> inputs, const NodeObserver& observer) {
  CheckInputs(graph, inputs);
  struct Slot {
    Tensor tensor;
    size_t uses_left = 0;
  };
  std::unordered_map<const Value*, Slot> slots;
  const auto store = [&](const Value* value, const Tensor& tensor) {
    const size_t uses = value->users().size() + (graph.IsOutput(value) ? 1 : 0);
    if (uses > 0) slots[value] = {tensor, uses};
  };
  for (size_t i = 0; i < inputs.size(); ++i) store(graph.inputs()[i], inputs[i]);
  for (const auto& node : graph.nodes()) {
    CheckInterrupt();  // a whole detector takes the reference many seconds
    std::vector<Tensor> operands;
    for (const Value* input : node->inputs()) {
      operands.push_back(!input ? Tensor() : input->is_constant() ? input->constant() : slots.at(input).tensor);
    }
    const std::vector<Tensor> results = EvaluateNode(*node, operands);
    for (const Value* input : node->inputs()) {
      if (input && !input->is_constant() && --slots.at(input).uses_left == 0) slots.erase(input);
    }
    for (size_t i = 0; i < node->outputs().size(); ++i) {
      if (node->output(i)) store(node->output(i), results.at(i));
    }
    if (observer) observer(*node, results);
  }
  std::vector<Tensor> outputs;
  for (const Value* output : graph.outputs())
    outputs.push_back(output->is_constant() ? output->constant() : slots.at(output).tensor);
  return outputs;
}

namespace {

/// What the results may take; for shapes that depend on data the operands bound them well enough.
int64_t ResultBytes(const Node& node) {
  int64_t bytes = 0;
  for (const Value* output : node.outputs()) {
    if (!output) continue;
    if (output->has_shape()) {
      bytes += ElemCount(output->shape()) * SizeOf(output->dtype());
      continue;
    }
    for (const Value* input : node.inputs()) bytes += input ? 8 * input->constant().size_bytes() : 0;
  }
  return bytes;
}

}  // namespace

bool FoldingBudget::Take(const Node& node) {
  constexpr int64_t kMaxResultBytes = int64_t{64} << 20;
  constexpr double kMaxFlops = 1e9;
  const int64_t bytes = ResultBytes(node);
  if (bytes > std::min(kMaxResultBytes, left_bytes_) || EstimateNodeCost(node).flops > kMaxFlops) return false;
  left_bytes_ -= bytes;
  return true;
}

Cost EstimateNodeCost(const Node& node) {
  std::vector<TensorType> inputs, outputs;
  for (const Value* input : node.inputs()) {
    if (input) inputs.push_back(input->type());
  }
  for (const Value* output : node.outputs()) {
    if (output) outputs.push_back(output->type());
  }
  return node.op().EstimateCost(inputs, outputs);
}

}  // namespace tenon
