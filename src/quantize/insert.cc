#include "quantize/insert.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "ops/conv.h"
#include "ops/operands.h"
#include "ops/quantize.h"
#include "passes/fusable.h"
#include "passes/quantized_values.h"
#include "passes/rewrite.h"
#include "quantize/quantizable_convs.h"
#include "quantize/weights.h"

namespace tenon {
namespace {

const TensorStatistics& StatisticsOf(const StatisticsTable& table, const Value* value) {
  const auto found = table.find(value->name());
  TENON_CHECK(found != table.end(), "no statistics of {}", value->name());
  return found->second;
}

/// The node after the one that makes the value; null at the end.
const Node* NodeAfter(const Graph& graph, const Value* value) {
  const auto& nodes = graph.nodes();
  if (!value->producer()) return nodes.empty() ? nullptr : nodes.front().get();
  const auto at =
      std::find_if(nodes.begin(), nodes.end(), [&](const auto& node) { return node.get() == value->producer(); });
  const auto next = std::next(at);
  return next == nodes.end() ? nullptr : next->get();
}

/// value -> Q -> DQ -> all that read the value. Graph outputs stay real.
void QuantizeValue(Graph& graph, Value* value, const AffineScale& scale) {
  const QuantizedType type{DType::kUInt8, scale};
  const std::vector<Node*> readers = value->users();
  Value* stored = AddQuantize(graph, value, type, NodeAfter(graph, value));
  Value* real = AddDequantize(graph, stored, type, NodeAfter(graph, stored));
  for (Node* reader : readers) {
    for (size_t i = 0; i < reader->inputs().size(); ++i) {
      if (reader->input(i) == value) graph.SetInput(reader, i, real);
    }
  }
}

QuantizedWeights WeightsOf(const Node& node, const TensorStatistics& input, const InsertOptions& options,
                           QuantizationMemo& memo) {
  const auto known = options.weights ? options.weights->find(node.name()) : WeightTable::const_iterator();
  if (options.weights && known != options.weights->end()) return known->second;
  return memo.weights.Get(node.name(), [&] {
    return QuantizeWeights(node.input(kWeightsOperand)->constant(), node.As<Conv>()->groups, input.MeanSquares());
  });
}

AffineScale ScaleOf(const std::vector<Value*>& inputs, const StatisticsTable& statistics, Calibrator calibrator,
                    QuantizationMemo& memo) {
  std::string key(kCalibratorNames[static_cast<size_t>(calibrator)]);
  for (const Value* input : inputs) key += " " + input->name();
  return memo.scales.Get(key, [&] {
    Histogram all;
    for (const Value* input : inputs) all.Merge(StatisticsOf(statistics, input).histogram());
    return ChooseScale(all, calibrator);
  });
}

void QuantizeConv(Graph& graph, Node* node, const TensorStatistics& input, const QuantizedWeights& quantized) {
  const Conv& conv = *node->As<Conv>();
  const Tensor weights = node->input(kWeightsOperand)->constant();
  std::vector<double> mean;
  for (const ChannelStatistics& channel : input.channels()) mean.push_back(channel.mean);
  const std::string name = node->input(kWeightsOperand)->name();
  DequantizeLinear dequantize;
  dequantize.axis = 0;
  Value* real = graph
                    .AddOp(dequantize,
                           {graph.AddConstant(quantized.elements, name + ".i8"),
                            graph.AddConstant(quantized.scales, name + ".scale")},
                           name + ".dq", node)
                    ->output();
  const std::vector<double> shift = WeightRoundingBias(weights, quantized, conv.groups, mean);
  const Value* old_bias = node->input(kBiasOperand);
  Tensor bias(DType::kFloat32, {weights.shape()[0]});
  for (int64_t oc = 0; oc < bias.elems(); ++oc)
    bias.data<float>()[oc] = static_cast<float>((old_bias ? old_bias->constant().AsDouble(oc) : 0) - shift[oc]);
  std::vector<Value*> operands = PaddedOperands(*node);
  operands[kWeightsOperand] = real;
  operands[kBiasOperand] = graph.AddConstant(bias, node->name() + ".bias");
  graph.Rewrite(node, conv.Clone(), operands);
}

std::vector<QuantizableConv> Chosen(const Graph& graph, const std::set<std::string>& names) {
  std::vector<QuantizableConv> convs = FindQuantizableConvs(graph);
  std::erase_if(convs, [&](const QuantizableConv& conv) { return !names.contains(conv.node->name()); });
  return convs;
}

}  // namespace

std::string KeyOf(const InsertOptions& options) {
  const bool rounded = options.weights && !options.weights->empty();
  return fmt::format("{} {} {}", kCalibratorNames[static_cast<size_t>(options.calibrator)],
                     rounded ? "rounded together" : "nearest", fmt::join(options.int8, " "));
}

void InsertQuantization(Graph& graph, const InsertOptions& options, const StatisticsTable& statistics) {
  const std::vector<QuantizableConv> convs = Chosen(graph, options.int8);
  const ScaleGroups groups(convs);
  QuantizationMemo own;
  QuantizationMemo& memo = options.memo ? *options.memo : own;
  std::vector<AffineScale> scales;
  for (size_t g = 0; g < groups.size(); ++g)
    scales.push_back(ScaleOf(groups.inputs(g), statistics, options.calibrator, memo));
  for (const QuantizableConv& conv : convs) {
    const TensorStatistics& input = StatisticsOf(statistics, conv.input);
    QuantizeConv(graph, conv.node, input, WeightsOf(*conv.node, input, options, memo));
  }
  for (size_t g = 0; g < groups.size(); ++g) {
    for (Value* source : groups.sources(g)) QuantizeValue(graph, source, scales[g]);
  }
  graph.EraseUnusedConstants();
}

}  // namespace tenon
