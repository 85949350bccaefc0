#pragma once
#include <memory>
#include <span>
#include <vector>

#include "backends/conv_phases.h"
#include "backends/cpu/conv_direct.h"

namespace tenon::cpu {

/// A transposed convolution (ONNX ConvTranspose): output row y takes input row i through kernel row kh where
/// y + pad_top = i * stride_h + kh * dilation_h. `geometry` has the sizes, views, groups and epilogue of a ConvProblem
/// whose strides, dilations and pads are read that way.
struct TransposedProblem {
  ConvProblem geometry;
};

/// The convolutions that a transposed one consists of: one per phase of rows and columns. A phase
/// may have no outputs; its weights are kept all the same.
struct ConvPhase {
  AxisPhase rows, columns;
  ConvProblem problem;
};
std::vector<ConvPhase> SplitPhases(const TransposedProblem& problem);

/// Tactics of the largest phase; all phases share one.
std::vector<ConvTactic> TransposedCandidates(const TransposedProblem& problem, const CpuFeatures& features,
                                             int threads);

/// Packs weights [IC, OC/groups, KH, KW] and a bias (empty: zeros): the phases one after another.
std::vector<std::byte> PackTransposed(const TransposedProblem& problem, const ConvTactic& tactic,
                                      const CpuFeatures& features, std::span<const float> weights,
                                      std::span<const float> bias);
std::vector<float> UnpackTransposedWeights(const TransposedProblem& problem, const ConvTactic& tactic,
                                           const CpuFeatures& features, std::span<const std::byte> packed);
std::vector<float> UnpackTransposedBias(const TransposedProblem& problem, const ConvTactic& tactic,
                                        const CpuFeatures& features, std::span<const std::byte> packed);

/// Runs the phases as direct convolutions whose outputs interleave. Immutable; Run may be called by many threads at
/// once.
class TransposedConv {
 public:
  TransposedConv(const TransposedProblem& problem, const ConvTactic& tactic, const CpuFeatures& features);

  int64_t work_items() const { return first_items_.back(); }
  size_t packed_bytes() const { return packed_bytes_; }
  void Run(const ConvArgs& args, int64_t item) const;

 private:
  std::vector<std::unique_ptr<DirectConv>> phases_;  ///< null where there are no outputs
  std::vector<int64_t> first_items_;                 ///< of each phase, then of none: the total
  std::vector<int64_t> packed_offsets_;              ///< of each phase
  size_t packed_bytes_ = 0;
};

}  // namespace tenon::cpu
