#include "passes/fold_pads.h"

#include <algorithm>
#include <limits>

#include "ops/conv.h"
#include "ops/pad.h"
#include "ops/pool.h"
#include "passes/rewrite.h"

namespace tenon {
namespace {

/// What a Pad puts around the spatial axes: begins, then ends, as Conv has them.
struct SpatialPads {
  Value* x = nullptr;
  std::vector<int64_t> pads;
  double value = 0;
};

std::optional<SpatialPads> AsSpatialPads(const Value* value) {
  const Node* node = ProducerOf<Pad>(value);
  if (!node || node->As<Pad>()->mode != PadMode::kConstant || !node->input(0)->has_shape()) return {};
  const auto fill = node->input(2) ? SplatValue(node->input(2)) : std::optional(0.0);
  if (!fill || !node->input(1)->is_constant() || (node->input(3) && !node->input(3)->is_constant())) return {};
  const auto ranges = ResolvePads(node->input(0)->shape(), node->input(1)->constant(),
                                  node->input(3) ? node->input(3)->constant() : Tensor());
  SpatialPads result{node->input(0), {}, *fill};
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].before < 0 || ranges[i].after < 0 || (i < 2 && (ranges[i].before != 0 || ranges[i].after != 0)))
      return {};
    if (i >= 2) result.pads.push_back(ranges[i].before);
  }
  for (size_t i = 2; i < ranges.size(); ++i) result.pads.push_back(ranges[i].after);
  return result;
}

void AddTo(std::vector<int64_t>& pads, const std::vector<int64_t>& more) {
  pads.resize(more.size(), 0);
  for (size_t i = 0; i < more.size(); ++i) pads[i] += more[i];
}

std::unique_ptr<Op> WithPads(const Conv& conv, const SpatialPads& outer) {
  if (outer.value != 0) return nullptr;
  Conv folded = conv;
  AddTo(folded.pads, outer.pads);
  return std::make_unique<Conv>(folded);
}

std::unique_ptr<Op> WithPads(const Pool& pool, const SpatialPads& outer) {
  Pool folded = pool;
  AddTo(folded.pads, outer.pads);
  // ONNX wants a window to meet at least one element; the last window of ceil_mode counts its padding differently.
  for (size_t i = 0; i < folded.pads.size(); ++i) {
    if (folded.pads[i] >= pool.kernel[i % pool.kernel.size()]) return nullptr;
  }
  if (pool.ceil_mode) return nullptr;
  if (pool.kind == PoolKind::kMax)
    return outer.value <= std::numeric_limits<float>::lowest() ? std::make_unique<Pool>(folded) : nullptr;
  const bool has_own_pads = std::any_of(pool.pads.begin(), pool.pads.end(), [](int64_t pad) { return pad != 0; });
  if (pool.kind != PoolKind::kAverage || outer.value != 0 || (has_own_pads && !pool.count_include_pad)) return nullptr;
  folded.count_include_pad = true;
  return std::make_unique<Pool>(folded);
}

/// Whether somebody reads the second output of a max Pool: positions in the padded tensor.
bool HasIndices(const Node& node) { return node.outputs().size() > 1 && node.output(1); }

bool Fold(Graph& graph, Node* node) {
  if ((!node->As<Conv>() && !node->As<Pool>()) || HasIndices(*node)) return false;
  const auto outer = AsSpatialPads(node->input(0));
  if (!outer) return false;
  std::unique_ptr<Op> op = node->As<Conv>() ? WithPads(*node->As<Conv>(), *outer) : WithPads(*node->As<Pool>(), *outer);
  if (!op) return false;
  Node* pad = node->input(0)->producer();
  std::vector<Value*> operands = node->inputs();
  operands[0] = outer->x;
  graph.Rewrite(node, std::move(op), std::move(operands));
  EraseDeadChain(graph, pad, node);
  return true;
}

}  // namespace

bool FoldPads(Graph& graph, const PassContext&) {
  bool changed = false;
  for (Node* node : graph.NodeList()) changed |= Fold(graph, node);
  return changed;
}

}  // namespace tenon
