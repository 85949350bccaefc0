#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backends/cpu/conv_problem.h"
#include "backends/cpu/conv_tactic.h"
#include "backends/cpu/row_tiling.h"

namespace tenon::cpu {

/// Why the depthwise generator can't run the problem (more than what WhyUnsupported says); empty when it can.
std::string WhyNotDepthwise(const ConvProblem& problem);

/// Tactics of the depthwise generator, the best guess first; pure, at least one.
std::vector<ConvTactic> DepthwiseCandidates(const ConvProblem& problem, const CpuFeatures& features, int threads);

/// Packs weights [C, 1, KH, KW] (rounded to problem.compute) and a bias (empty: zeros), as FP32: per block of channels
/// [kh][kw][vector][lane], then the biases, then INT8's multipliers (PackConv). Throws Error(kInvalidInput) when the
/// sizes don't fit.
std::vector<std::byte> PackDepthwise(const ConvProblem& problem, const ConvTactic& tactic, const CpuFeatures& features,
                                     std::span<const float> weights, std::span<const float> bias,
                                     std::span<const float> weight_scales = {});
std::vector<float> UnpackDepthwiseWeights(const ConvProblem& problem, const ConvTactic& tactic,
                                          const CpuFeatures& features, std::span<const std::byte> packed);
std::vector<float> UnpackDepthwiseBias(const ConvProblem& problem, const ConvTactic& tactic,
                                       const CpuFeatures& features, std::span<const std::byte> packed);

/// Depthwise convolution (one input and one output channel a group), vectors over channels, FP32 arithmetic on FP32 or
/// BF16 tensors, or on u8 as exact as INT32. Immutable; Run may be called by many threads at once.
class DepthwiseConv {
 public:
  /// Throws Error(kInvalidInput) when the tactic does not fit the registers.
  DepthwiseConv(const ConvProblem& problem, const ConvTactic& tactic, const CpuFeatures& features);

  /// Independent pieces of work: (image, block of rows), all channels each.
  int64_t work_items() const { return int64_t{problem_.n} * row_blocks_; }
  size_t packed_bytes() const;
  void Run(const ConvArgs& args, int64_t item) const;

 private:
  void Generate();
  void RunRow(const ConvArgs& args, int image, int row, int block) const;

  ConvProblem problem_;
  Isa isa_;
  ItemOrder order_;
  std::vector<ChannelBlock> blocks_;
  RowTiling tiling_;
  int row_blocks_ = 1;
  std::vector<std::vector<TileFunction>> functions_;  ///< [block][variant]
  std::unique_ptr<JitCode> code_;
};

}  // namespace tenon::cpu
