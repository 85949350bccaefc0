#include "passes/fuse_upsample.h"

#include "ops/conv.h"
#include "ops/resize.h"
#include "passes/rewrite.h"

namespace tenon {
namespace {

/// Whether the axis repeats every element `factor` times, whatever names its coordinates and rounding go by.
bool Repeats(const Resize& op, const ResizeAxis& axis, int64_t factor) {
  if (axis.out != factor * axis.in) return false;
  const ResizeTaps taps = MakeResizeTaps(op, axis);
  if (taps.count != 1) return false;
  for (int64_t i = 0; i < axis.out; ++i) {
    if (taps.index[static_cast<size_t>(i)] != i / factor) return false;
  }
  return true;
}

bool DoublesPixels(const Node& node) {
  const auto* resize = node.As<Resize>();
  if (!resize || resize->mode != ResizeMode::kNearest || !node.input(0)->has_shape() ||
      node.input(0)->shape().size() != 4)
    return false;
  std::vector<Tensor> operands;
  for (size_t i = 1; i < 4; ++i) {
    const Value* operand = node.input(i);
    if (operand && !operand->is_constant()) return false;
    operands.push_back(operand ? operand->constant() : Tensor());
  }
  const auto axes = ResolveResize(*resize, node.input(0)->shape(), operands[0], operands[1], operands[2]);
  return Repeats(*resize, axes[0], 1) && Repeats(*resize, axes[1], 1) && Repeats(*resize, axes[2], 2) &&
         Repeats(*resize, axes[3], 2);
}

}  // namespace

bool FuseUpsample(Graph& graph, const PassContext&) {
  bool changed = false;
  for (Node* node : graph.NodeList()) {
    if (!DoublesPixels(*node) || graph.IsOutput(node->output())) continue;
    Node* producer = ProducerOf<Conv>(node->input(0));
    if (!producer || producer->As<Conv>()->groups != 1 || producer->As<Conv>()->upsample != 1) continue;
    Conv conv = *producer->As<Conv>();
    conv.upsample = 2;
    Node* both = graph.AddOp(std::move(conv), producer->inputs(), producer->name(), producer);
    both->AddSources(producer->sources());
    both->AddSources(node->sources());
    graph.ReplaceAllUses(producer->output(), both->output(0));
    graph.ReplaceAllUses(node->output(), both->output(1));
    graph.Erase(node);
    graph.Erase(producer);
    changed = true;
  }
  return changed;
}

}  // namespace tenon
