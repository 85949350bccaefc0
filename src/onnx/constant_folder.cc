#include "onnx/constant_folder.h"

#include <algorithm>

#include "ops/evaluate.h"

namespace tenon {
namespace {

// Shape arithmetic is tiny, anchors and position tables are a few MiB. The limits keep a hostile model, whose few bytes
// ask for much, from using up memory and time.
constexpr int64_t kMaxResultBytes = int64_t{64} << 20;
constexpr int64_t kMaxTotalBytes = int64_t{1} << 30;
constexpr double kMaxFlops = 1e9;

bool OperandsAreConstant(const Node& node) {
  return std::all_of(node.inputs().begin(), node.inputs().end(), [](const Value* v) { return !v || v->is_constant(); });
}

/// Quantised weights must stay quantised: DequantizeLinear on a constant carries the model's scales.
bool MustStay(const Node& node) { return node.op().name() == "DequantizeLinear"; }

/// What the results may take; for shapes that depend on data the operands bound them well enough.
int64_t ResultBytes(const Node& node) {
  int64_t bytes = 0;
  for (const Value* output : node.outputs()) {
    if (!output->has_shape()) {
      for (const Value* input : node.inputs()) bytes += input ? 8 * input->constant().size_bytes() : 0;
      continue;
    }
    const int64_t elems = ElemCount(output->shape());
    if (elems > kMaxTotalBytes) return kMaxTotalBytes;
    bytes += elems * SizeOf(output->dtype());
  }
  return bytes;
}

}  // namespace

bool ConstantFolder::Fold(Graph& graph, const Node& node) {
  if (replacements_.contains(node.output(0))) return true;
  if (!OperandsAreConstant(node) || MustStay(node)) return false;
  const int64_t bytes = ResultBytes(node);
  if (bytes > kMaxResultBytes || folded_bytes_ + bytes > kMaxTotalBytes || EstimateNodeCost(node).flops > kMaxFlops)
    return false;
  folded_bytes_ += bytes;
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
