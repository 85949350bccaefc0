#include <chrono>
#include <cstring>

#include "base/error.h"
#include "ops/evaluate.h"
#include "runtime/executable.h"
#include "runtime/load.h"

namespace tenon {
namespace {

class ReferenceExecution final : public internal::Execution {
 public:
  explicit ReferenceExecution(std::shared_ptr<const Graph> graph) : graph_(std::move(graph)) {}

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::vector<double>* step_us) override {
    std::vector<Tensor> tensors;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const Value* input = graph_->inputs()[i];
      tensors.emplace_back(input->dtype(), input->shape());
      std::memcpy(tensors.back().raw(), inputs[i], static_cast<size_t>(tensors.back().size_bytes()));
    }
    auto last = std::chrono::steady_clock::now();
    if (step_us) step_us->clear();
    const auto results = EvaluateGraph(*graph_, tensors, [&](const Node&, std::span<const Tensor>) {
      const auto now = std::chrono::steady_clock::now();
      if (step_us) step_us->push_back(std::chrono::duration<double, std::micro>(now - last).count());
      last = now;
    });
    for (size_t i = 0; i < outputs.size(); ++i)
      std::memcpy(outputs[i], results[i].raw(), static_cast<size_t>(results[i].size_bytes()));
  }
  int64_t memory_bytes() const override { return 0; }  // allocated and freed as values come and go
  int threads() const override { return 1; }

 private:
  std::shared_ptr<const Graph> graph_;
};

class ReferenceExecutable final : public internal::Executable {
 public:
  explicit ReferenceExecutable(std::shared_ptr<const Graph> graph) : graph_(std::move(graph)) {
    for (const Value* input : graph_->inputs()) inputs.push_back({input->name(), input->dtype(), input->shape()});
    for (size_t i = 0; i < graph_->outputs().size(); ++i) {
      const Value* output = graph_->outputs()[i];
      if (!output->has_shape()) {
        ThrowInvalid({.what = "the model has an output whose shape depends on the data",
                      .where = graph_->output_names()[i],
                      .hint = "Export without in-graph NMS: Tenon does NMS itself."});
      }
      outputs.push_back({graph_->output_names()[i], output->dtype(), output->shape()});
    }
    metadata = graph_->metadata;
    precision = "fp32";
    device = "reference";
    step_count = graph_->nodes().size();
    for (const Value* constant : graph_->Constants()) weights_bytes += constant->constant().size_bytes();
  }
  std::unique_ptr<internal::Execution> NewExecution(int) const override {
    return std::make_unique<ReferenceExecution>(graph_);
  }

 private:
  std::shared_ptr<const Graph> graph_;
};

}  // namespace

Engine MakeReferenceEngine(std::shared_ptr<const Graph> graph) {
  return Engine::Adopt(internal::NewHandle({std::make_shared<ReferenceExecutable>(std::move(graph))}));
}

}  // namespace tenon
