#include "passes/fold_focus.h"

#include <algorithm>

#include "ops/conv.h"
#include "ops/index.h"
#include "passes/fusable.h"
#include "passes/rewrite.h"

namespace tenon {
namespace {

/// Every `step`-th pixel of x from (row, column) on.
struct Phase {
  Value* x = nullptr;
  int64_t row = 0, column = 0, step = 0;
};

/// All Slices above the value as one; nothing where a bound is no constant.
struct SlicedValue {
  Value* source = nullptr;
  std::vector<SliceRange> ranges;
};
std::optional<SlicedValue> ComposeSlices(Value* value) {
  SlicedValue sliced{value, {}};
  for (const int64_t dim : value->shape()) sliced.ranges.push_back({0, 1, dim});
  while (const Node* slice = ProducerOf<Slice>(sliced.source)) {
    for (size_t i = 1; i < slice->inputs().size(); ++i) {
      if (slice->input(i) && !slice->input(i)->is_constant()) return {};
    }
    const auto tensor = [&](size_t i) { return slice->input(i) ? slice->input(i)->constant() : Tensor(); };
    const auto outer = ResolveSlice(slice->input(0)->shape(), tensor(1), tensor(2), tensor(3), tensor(4));
    for (size_t i = 0; i < outer.size(); ++i) {
      sliced.ranges[i].start = outer[i].start + sliced.ranges[i].start * outer[i].step;
      sliced.ranges[i].step *= outer[i].step;
    }
    sliced.source = slice->input(0);
  }
  return sliced;
}

std::optional<Phase> AsPhase(Value* value) {
  if (!value->has_shape() || value->shape().size() != 4) return {};
  const auto sliced = ComposeSlices(value);
  if (!sliced) return {};
  const Shape& shape = sliced->source->shape();
  const auto& ranges = sliced->ranges;
  for (const size_t axis : {0, 1}) {
    if (ranges[axis].start != 0 || ranges[axis].step != 1 || ranges[axis].count != shape[axis]) return {};
  }
  const int64_t step = ranges[2].step;
  for (const size_t axis : {2, 3}) {
    const SliceRange& range = ranges[axis];
    if (range.step != step || range.start < 0 || range.start >= step || range.count * step != shape[axis]) return {};
  }
  return Phase{sliced->source, ranges[2].start, ranges[3].start, step};
}

/// The phases that a Concat over the channels joins: all of one x with one step > 1; empty otherwise.
std::vector<Phase> FocusPhases(const Value* value) {
  const Node* concat = ProducerOf<Concat>(value);
  if (!concat || concat->As<Concat>()->axis != 1) return {};
  std::vector<Phase> phases;
  for (Value* operand : concat->inputs()) {
    const auto phase = AsPhase(operand);
    if (!phase || phase->step < 2 || (!phases.empty() && (phase->x != phases[0].x || phase->step != phases[0].step)))
      return {};
    phases.push_back(*phase);
  }
  return phases;
}

/// Weights [OC, phases * C, KH, KW] over the Focus layer as weights [OC, C, KH * s, KW * s] over x.
Tensor SpreadWeights(const Tensor& weights, const std::vector<Phase>& phases) {
  const Shape& shape = weights.shape();
  const auto count = static_cast<int64_t>(phases.size());
  const int64_t step = phases[0].step, channels = shape[1] / count, width = shape[3] * step;
  const Tensor source = weights.CastTo(DType::kFloat32);
  Tensor spread(DType::kFloat32, {shape[0], channels, shape[2] * step, width});
  for (int64_t i = 0; i < source.elems(); ++i) {
    const int64_t kw = i % shape[3], kh = i / shape[3] % shape[2], ic = i / (shape[3] * shape[2]) % shape[1],
                  oc = i / (shape[3] * shape[2] * shape[1]);
    const Phase& phase = phases[ic / channels];
    const int64_t plane = oc * channels + ic % channels;
    spread.data<float>()[(plane * shape[2] * step + kh * step + phase.row) * width + kw * step + phase.column] +=
        source.data<float>()[i];
  }
  return spread.CastTo(weights.dtype());
}

bool IsPlainConv(const Conv& conv) {
  return conv.groups == 1 && conv.strides.size() == 2 && conv.pads.size() == 4 &&
         std::all_of(conv.dilations.begin(), conv.dilations.end(), [](int64_t dilation) { return dilation == 1; });
}

bool FoldConv(Graph& graph, Node* node) {
  const auto* conv = node->As<Conv>();
  const Value* weights = conv ? node->input(kWeightsOperand) : nullptr;
  if (!weights || !weights->is_constant() || weights->shape().size() != 4 || !IsPlainConv(*conv)) return false;
  const std::vector<Phase> phases = FocusPhases(node->input(0));
  if (phases.empty()) return false;
  Conv folded = *conv;
  for (int64_t& stride : folded.strides) stride *= phases[0].step;
  for (int64_t& pad : folded.pads) pad *= phases[0].step;
  std::vector<Value*> operands = PaddedOperands(*node);
  operands[0] = phases[0].x;
  operands[kWeightsOperand] = graph.AddConstant(SpreadWeights(weights->constant(), phases), weights->name());
  ReplaceByNode(graph, node->output(), std::make_unique<Conv>(folded), std::move(operands));
  return true;
}

}  // namespace

bool FoldFocus(Graph& graph, const PassContext&) {
  bool changed = false;
  for (Node* node : graph.NodeList()) changed |= FoldConv(graph, node);
  return changed;
}

}  // namespace tenon
