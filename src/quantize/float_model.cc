#include "quantize/float_model.h"

#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "compile/compiler.h"
#include "runtime/load.h"

namespace tenon {
namespace {

std::unordered_map<std::string, Value*> ValuesByName(const Graph& graph) {
  std::unordered_map<std::string, Value*> values;
  for (Value* input : graph.inputs()) values[input->name()] = input;
  for (const auto& node : graph.nodes()) {
    for (Value* output : node->outputs()) {
      if (output) values[output->name()] = output;
    }
  }
  return values;
}

}  // namespace

Engine FloatModel::Compile(const Graph& graph, const std::vector<std::string>& observed, const Device& device,
                           std::vector<size_t>& places) {
  std::unique_ptr<Graph> copy = graph.Clone();
  const auto values = ValuesByName(*copy);
  for (const std::string& name : observed) {
    const auto found = values.find(name);
    TENON_CHECK(found != values.end(), "no value {}", name);
    if (!found->second->producer()) {
      places.push_back(kIsInput);
      continue;
    }
    places.push_back(copy->outputs().size());
    copy->AddOutput(found->second, "observed." + name);
  }
  TimingCache cache;
  CompileOptions options;
  options.tune.effort = 0;
  return MakeEngine(CompileFor(std::move(copy), device, options, cache).engine, device);
}

FloatModel::FloatModel(const Graph& graph, const std::vector<std::string>& observed, const Device& device)
    : observed_(observed),
      own_outputs_(graph.outputs().size()),
      engine_(Compile(graph, observed, device, places_)),
      context_(engine_.CreateContext({.threads = device.host_threads()})) {
  for (const TensorInfo& output : engine_.outputs()) {
    // Of whatever type: only observed values, which are FP32, are looked at.
    outputs_.emplace_back(static_cast<size_t>((ElemCount(output.shape) * SizeOf(output.dtype) + 3) / 4));
  }
}

void FloatModel::Run(std::span<const float> input) {
  TENON_CHECK(engine_.inputs().size() == 1 && static_cast<int64_t>(input.size()) == ElemCount(this->input().shape));
  std::vector<void*> pointers;
  for (auto& output : outputs_) pointers.push_back(output.data());
  const void* pointer = input.data();
  context_.Run(std::span(&pointer, 1), pointers);
  last_input_ = input;
}

const Shape& FloatModel::shape(size_t i) const {
  return places_[i] == kIsInput ? input().shape : engine_.outputs()[places_[i]].shape;
}

std::span<const float> FloatModel::value(size_t i) const {
  return places_[i] == kIsInput ? last_input_ : std::span<const float>(outputs_[places_[i]]);
}

std::vector<TensorView> FloatModel::outputs() const {
  std::vector<TensorView> views;
  for (size_t i = 0; i < own_outputs_; ++i) views.push_back({outputs_[i].data(), engine_.outputs()[i].shape});
  return views;
}

}  // namespace tenon
