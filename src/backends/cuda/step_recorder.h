#pragma once
#include <vector>

#include "backends/cuda/driver.h"

namespace tenon::cuda {

/// Records a program's steps into a graph, each behind those that it has to wait for and no others, so that branches of
/// the network run side by side. Kernels follow kernels by programmatic launch (sm_90 up). A driver older than
/// CUDA 12.3 can't say what a kernel waits for: there the steps run one after the other.
class StepRecorder {
 public:
  /// `dependencies`: for each step earlier ones (engine/step_dependencies.h). Records into `stream`, which must be in
  /// capture from the first Begin on; for one graph.
  StepRecorder(const GpuContext& gpu, const Stream& stream, const std::vector<std::vector<size_t>>& dependencies);

  /// Before a step's first launch or copy. Steps come in order. @return how its first kernel follows what is before it
  LaunchOrder Begin(size_t step);
  /// After its last one, which is a kernel or not. A step may have launched nothing.
  void End(bool is_kernel);

 private:
  const Driver& driver_;
  const Stream& stream_;
  const std::vector<std::vector<size_t>>& dependencies_;
  bool has_edges_, has_programmatic_edges_;
  size_t step_ = 0;
  std::vector<std::vector<GraphNode>> ends_;  ///< by step: what its successors wait for
  bool after_kernel_ = false;                 ///< without edges: the last thing in the stream is a kernel
};

}  // namespace tenon::cuda
