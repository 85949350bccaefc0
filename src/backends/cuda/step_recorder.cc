#include "backends/cuda/step_recorder.h"

#include <algorithm>

namespace tenon::cuda {

StepRecorder::StepRecorder(const GpuContext& gpu, const Stream& stream,
                           const std::vector<std::vector<size_t>>& dependencies)
    : driver_(gpu.driver()),
      stream_(stream),
      dependencies_(dependencies),
      has_edges_(driver_.has_graph_edges()),
      has_programmatic_edges_(gpu.gpu().capability >= 90),
      ends_(dependencies.size()) {}

LaunchOrder StepRecorder::Begin(size_t step) {
  step_ = step;
  if (!has_edges_) return after_kernel_ ? LaunchOrder::kProgrammatic : LaunchOrder::kSerial;
  std::vector<GraphNode>& producers = ends_[step];
  for (const size_t dependency : dependencies_[step]) {
    for (const GraphNode& node : ends_[dependency])
      if (std::find(producers.begin(), producers.end(), node) == producers.end()) producers.push_back(node);
  }
  stream_.Follow(producers);
  return LaunchOrder::kSerial;  // the edges say what it follows
}

void StepRecorder::End(bool is_kernel) {
  after_kernel_ = is_kernel;
  if (!has_edges_) return;
  const std::vector<NodeHandle> last = stream_.LastNodes();
  const bool launched = last.size() != ends_[step_].size() ||
                        !std::equal(last.begin(), last.end(), ends_[step_].begin(),
                                    [](NodeHandle node, const GraphNode& producer) { return node == producer.handle; });
  if (!launched) return;
  ends_[step_].clear();
  for (const NodeHandle node : last) ends_[step_].push_back({node, is_kernel && has_programmatic_edges_});
}

}  // namespace tenon::cuda
