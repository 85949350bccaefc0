#pragma once
#include <memory>
#include <string>
#include <vector>

#include "backends/device.h"
#include "ir/graph.h"
#include "quantize/calibrate.h"
#include "quantize/insert.h"

namespace tenon {

/// Names of the results of convolutions and matrix products that no other one reads, however indirectly: what the
/// model's outputs are made of, before decoding and selection make noise hard to compare.
std::vector<std::string> FinalTensors(const Graph& graph);

/// Measures what quantising some convs does to the final tensors, on a few images, with the INT8 kernels (the rest in
/// FP32).
class NoiseMeter {
 public:
  /// Runs the float graph on the images once and keeps its final tensors. All must outlive the meter.
  NoiseMeter(const Graph& fused, const StatisticsTable& statistics, const CalibrationImages& images,
             const Device& device);

  /// Mean over the final tensors of quantisation noise power / variance of the tensor. Small noises of different layers
  /// roughly add up.
  double Measure(const InsertOptions& options) const;

 private:
  const Graph& fused_;
  const StatisticsTable& statistics_;
  const std::shared_ptr<const Device> device_;
  std::vector<std::string> finals_;
  std::vector<std::vector<float>> batches_;
  std::vector<std::vector<std::vector<float>>> expected_;  ///< by batch, then tensor
  std::vector<double> variance_;                           ///< by tensor
};

}  // namespace tenon
