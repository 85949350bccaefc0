#include "quantize/equalize.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "ir/graph.h"
#include "ops/channel_trace.h"
#include "ops/conv.h"
#include "ops/index.h"
#include "ops/pool.h"
#include "ops/resize.h"
#include "passes/fusable.h"
#include "passes/quantized_values.h"
#include "passes/rewrite.h"
#include "quantize/quantizable_convs.h"

namespace tenon {
namespace {

/// How the nodes that multiply by factors are named, after the conv before them.
constexpr char kFactorsNode[] = ".equalise";
/// Equalisation makes the noise at least so many times less, or isn't done: it costs time in the epilogue.
constexpr double kLeastGain = 4;
/// Channels that are hardly ever more than 0, as those of rare classes, would be clipped on the first image where they
/// are: with 16 and 64, leyolo_nano made twice the noise, with 4 the small channels of its depthwise convs did.
constexpr double kLargestFactor = 8;

/// A conv that reads a range of a tensor's channels.
struct Reading {
  Node* conv;
  int64_t from, at, count;  ///< first channel of the tensor, first channel of the conv's input
};

int64_t ChannelsOf(const Value* value) { return value->shape()[1]; }

class ReadingCollector {
 public:
  ReadingCollector(const Graph& graph, const std::vector<QuantizableConv>& convs) : graph_(graph) {
    for (const QuantizableConv& conv : convs) convs_.insert(conv.node);
  }

  /// All that reads the value; nothing where something else than these convs does, or channels are taken apart.
  std::vector<Reading> Readings(Value* value) {
    readings_.clear();
    if (!Collect(value, {nullptr, 0, 0, ChannelsOf(value)})) readings_.clear();
    return readings_;
  }

 private:
  /// @param range of the tensor's channels, as they lie in `value`
  bool Collect(Value* value, const Reading& range) {
    if (graph_.IsOutput(value) || !value->has_shape() || value->shape().size() < 3) return false;
    const std::set<Node*> users(value->users().begin(), value->users().end());
    for (Node* user : users) {
      for (size_t i = 0; i < user->inputs().size(); ++i) {
        if (user->input(i) == value && !CollectUse(user, i, range)) return false;
      }
    }
    return true;
  }

  bool CollectUse(Node* user, size_t operand, const Reading& range) {
    if (user->As<Concat>()) return CollectConcat(user, operand, range);
    if (operand != 0) return false;
    if (convs_.contains(user)) {
      readings_.push_back({user, range.from, range.at, range.count});
      return true;
    }
    if (user->As<Split>()) return CollectSplit(user, range);
    const bool keeps_channels = (user->As<Pool>() || user->As<Resize>()) && CommutesWithQuantization(*user);
    return keeps_channels && user->output()->has_shape() && user->output()->shape()[1] == user->input(0)->shape()[1] &&
           Collect(user->output(), range);
  }

  bool CollectConcat(Node* concat, size_t operand, Reading range) {
    const int64_t axis = concat->As<Concat>()->axis;
    const int64_t rank = static_cast<int64_t>(concat->input(operand)->shape().size());
    if (axis != 1 && axis + rank != 1) return false;
    for (size_t i = 0; i < operand; ++i) range.at += ChannelsOf(concat->input(i));
    return Collect(concat->output(), range);
  }

  bool CollectSplit(Node* split, const Reading& range) {
    const int64_t axis = split->As<Split>()->axis;
    if (axis != 1 && axis + static_cast<int64_t>(split->input(0)->shape().size()) != 1) return false;
    int64_t begin = 0;
    for (Value* output : split->outputs()) {
      if (!output || !output->has_shape()) return false;
      const int64_t first = std::max(begin, range.at),
                    last = std::min(begin + ChannelsOf(output), range.at + range.count);
      const Reading part{nullptr, range.from + first - range.at, first - begin, last - first};
      if (last > first && !Collect(output, part)) return false;
      begin += ChannelsOf(output);
    }
    return true;
  }

  const Graph& graph_;
  std::set<const Node*> convs_;
  std::vector<Reading> readings_;
};

/// Calls f(channel of the tensor, index of a weight that meets it).
template <class F>
void ForEachWeight(const Reading& reading, const F& f) {
  const Shape& weights = reading.conv->input(kWeightsOperand)->shape();
  const int64_t groups = reading.conv->As<Conv>()->groups, inputs = weights[1], outputs = weights[0] / groups;
  const int64_t taps = ElemCount(weights) / (weights[0] * weights[1]);
  for (int64_t c = 0; c < reading.count; ++c) {
    const int64_t group = (reading.at + c) / inputs, input = (reading.at + c) % inputs;
    for (int64_t oc = group * outputs; oc < (group + 1) * outputs; ++oc) {
      for (int64_t tap = 0; tap < taps; ++tap) f(reading.from + c, (oc * inputs + input) * taps + tap);
    }
  }
}

/// What is known of a channel: how far it goes below and above 0, and how much its error counts.
struct Channel {
  double low = 0, high = 0, weight = 0;
};

std::vector<Channel> ChannelsSeen(int64_t count, const std::vector<Reading>& readings, const StatisticsTable& table) {
  std::vector<Channel> channels(static_cast<size_t>(count));
  for (const Reading& reading : readings) {
    const auto& seen = table.at(reading.conv->input(0)->name()).channels();
    for (int64_t c = 0; c < reading.count; ++c) {
      Channel& channel = channels[static_cast<size_t>(reading.from + c)];
      const ChannelStatistics& statistics = seen[static_cast<size_t>(reading.at + c)];
      channel.low = std::max(channel.low, -static_cast<double>(statistics.min));
      channel.high = std::max(channel.high, static_cast<double>(statistics.max));
    }
    const float* weights = reading.conv->input(kWeightsOperand)->constant().data<float>();
    ForEachWeight(reading, [&](int64_t c, int64_t i) {
      channels[static_cast<size_t>(c)].weight += static_cast<double>(weights[i]) * weights[i];
    });
  }
  return channels;
}

/// The largest factors that keep every channel within [-share, 1 - share].
std::vector<double> FactorsFor(const std::vector<Channel>& channels, double share) {
  std::vector<double> factors;
  for (const Channel& channel : channels) {
    const double above = channel.high > 0 ? (1 - share) / channel.high : INFINITY;
    factors.push_back(std::min(above, channel.low > 0 ? share / channel.low : INFINITY));
  }
  const double least = *std::min_element(factors.begin(), factors.end());
  for (double& factor : factors) factor = std::min(factor, kLargestFactor * least);
  return factors;
}

/// Of rounding to levels of one size, before the factors are divided out.
double Noise(const std::vector<Channel>& channels, const std::vector<double>& factors) {
  double noise = 0;
  for (size_t c = 0; c < channels.size(); ++c) noise += channels[c].weight / (factors[c] * factors[c]);
  return noise;
}

double NoiseWithout(const std::vector<Channel>& channels) {
  double low = 0, high = 0, weight = 0;
  for (const Channel& channel : channels) {
    low = std::max(low, channel.low);
    high = std::max(high, channel.high);
    weight += channel.weight;
  }
  return weight * (low + high) * (low + high);
}

/// The best factors, the least of which is 1; empty where they gain too little.
std::vector<float> ChooseFactors(const std::vector<Channel>& channels) {
  constexpr int kSteps = 64;
  std::vector<double> best;
  double least = NoiseWithout(channels) / kLeastGain;
  for (int step = 0; step <= kSteps / 2; ++step) {
    const std::vector<double> factors = FactorsFor(channels, static_cast<double>(step) / kSteps);
    const bool finite = std::all_of(factors.begin(), factors.end(), [](double f) { return f > 0 && std::isfinite(f); });
    if (!finite || Noise(channels, factors) >= least) continue;
    least = Noise(channels, factors);
    best = factors;
  }
  if (best.empty()) return {};
  const double smallest = *std::min_element(best.begin(), best.end());
  std::vector<float> factors;
  for (const double factor : best) factors.push_back(static_cast<float>(factor / smallest));
  return factors;
}

void DivideWeights(Graph& graph, const Reading& reading, const std::vector<float>& factors) {
  const Value* old = reading.conv->input(kWeightsOperand);
  Tensor weights(DType::kFloat32, old->shape());
  std::copy_n(old->constant().data<float>(), weights.elems(), weights.data<float>());
  ForEachWeight(reading, [&](int64_t c, int64_t i) { weights.data<float>()[i] /= factors[static_cast<size_t>(c)]; });
  graph.SetInput(reading.conv, kWeightsOperand, graph.AddConstant(weights, old->name() + ".equalised"));
}

void Multiply(Graph& graph, Value* value, const std::vector<float>& factors) {
  Shape shape(value->shape().size() - 1, 1);
  shape[0] = static_cast<int64_t>(factors.size());
  const auto& nodes = graph.nodes();
  const auto at = std::find_if(nodes.begin(), nodes.end(), [&](const auto& n) { return n.get() == value->producer(); });
  const auto next = std::next(at);
  const std::set<Node*> readers(value->users().begin(), value->users().end());
  Value* scaled = graph
                      .AddOp(MakeBinary(BinaryKind::kMul),
                             {value, graph.AddConstant(Tensor::Of<float>(shape, factors), value->name() + ".factors")},
                             value->producer()->name() + kFactorsNode, next == nodes.end() ? nullptr : next->get())
                      ->output();
  for (Node* reader : readers) {
    for (size_t i = 0; i < reader->inputs().size(); ++i) {
      if (reader->input(i) == value) graph.SetInput(reader, i, scaled);
    }
  }
}

/// A tensor, all that reads it, and its factors.
struct Equalisation {
  Value* made;
  std::vector<Reading> readings;
  std::vector<float> factors;
};

/// What is worth factors; those of one tensor don't change another's.
std::vector<Equalisation> FindEqualisations(const Graph& fused, const StatisticsTable& statistics) {
  const std::vector<QuantizableConv> convs = FindQuantizableConvs(fused);
  ReadingCollector collector(fused, convs);
  std::vector<Equalisation> found;
  for (const QuantizableConv& conv : convs) {
    Value* made = conv.node->output();
    std::vector<Reading> readings = collector.Readings(made);
    if (readings.empty()) continue;
    std::vector<float> factors = ChooseFactors(ChannelsSeen(ChannelsOf(made), readings, statistics));
    if (!factors.empty()) found.push_back({made, std::move(readings), std::move(factors)});
  }
  return found;
}

}  // namespace

int EqualizeChannels(Graph& fused, const StatisticsTable& statistics, const std::set<std::string>* convs) {
  int equalised = 0;
  for (const Equalisation& tensor : FindEqualisations(fused, statistics)) {
    if (convs && !convs->contains(tensor.made->producer()->name())) continue;
    for (const Reading& reading : tensor.readings) DivideWeights(fused, reading, tensor.factors);
    Multiply(fused, tensor.made, tensor.factors);
    ++equalised;
  }
  fused.EraseUnusedConstants();
  return equalised;
}

std::vector<UnevenTensor> FindUnevenTensors(const Graph& fused, const StatisticsTable& statistics) {
  std::vector<UnevenTensor> tensors;
  for (const Equalisation& tensor : FindEqualisations(fused, statistics)) {
    tensors.push_back({.conv = tensor.made->producer()->name(), .readers = {}});
    for (const Reading& reading : tensor.readings) tensors.back().readers.insert(reading.conv->name());
  }
  return tensors;
}

std::vector<int64_t> ChannelCounts(const Value& value) {
  constexpr double kOnce = 256;
  const auto factors_of = [](const Value& made) -> std::optional<std::vector<double>> {
    const Node& node = *made.producer();
    if (!ProducerOf(&made, BinaryKind::kMul) || !node.name().ends_with(kFactorsNode)) return {};
    return PerChannelValues(node.input(1), made.shape(), 1);
  };
  std::vector<int64_t> counts;
  for (const double factor : TraceChannels(value, factors_of))
    counts.push_back(std::max<int64_t>(1, std::llround(kOnce / (factor * factor))));
  return counts;
}

}  // namespace tenon
