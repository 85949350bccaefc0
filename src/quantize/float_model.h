#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backends/device.h"
#include "ir/graph.h"
#include "tenon/tenon.hpp"
#include "vision/detect.h"

namespace tenon {

/// A graph compiled in FP32 for the CPU that shows values inside it: how calibration looks at a model.
class FloatModel {
 public:
  /// @param observed names of float values of the graph; they become outputs, in this order
  /// Compiles a copy of the graph with the cost model's tactics: nothing is timed.
  FloatModel(const Graph& graph, const std::vector<std::string>& observed, const Device& device);

  /// The first input: a batch of images.
  const TensorInfo& input() const { return engine_.inputs()[0]; }
  const Engine& engine() const { return engine_; }
  /// Runs on one input of input()'s shape; the observed values stay until the next run.
  void Run(std::span<const float> input);
  size_t size() const { return places_.size(); }
  const std::string& name(size_t i) const { return observed_[i]; }
  const Shape& shape(size_t i) const;
  std::span<const float> value(size_t i) const;
  /// The graph's own outputs after the last run, as decoding takes them.
  std::vector<TensorView> outputs() const;

 private:
  static constexpr size_t kIsInput = static_cast<size_t>(-1);
  static Engine Compile(const Graph& graph, const std::vector<std::string>& observed, const Device& device,
                        std::vector<size_t>& places);

  std::vector<std::string> observed_;
  size_t own_outputs_;
  std::vector<size_t> places_;  ///< of each observed value among the outputs, or kIsInput
  Engine engine_;
  Context context_;
  std::vector<std::vector<float>> outputs_;
  std::span<const float> last_input_;
};

}  // namespace tenon
