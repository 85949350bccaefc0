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

/// Where things lie in packed weights, in 32-bit words: per block of channels the weights (depthwise_tile.h: floats;
/// with dots depthwise_dot_tile.h: bytes), then for all padded channels the biases, INT8's multipliers, the steps per
/// unit of problems with factors, and with dots the first sums, per range of kernel columns that outputs see: -zero
/// point * the sum of their weights in all rows.
struct DepthwisePacking {
  DepthwisePacking(const ConvProblem& problem, const CpuFeatures& features);

  bool uses_dots;  ///< vpdpbusd, where the CPU has it and the kernel isn't too tall
  int lanes = 0;
  int64_t channels = 0;   ///< in whole vectors
  int64_t positions = 0;  ///< words of weights for one channel
  int64_t biases = 0, multipliers = 0, factors = 0, starts = 0;
  std::vector<KernelRange> columns;  ///< of the first sums
  int64_t size_bytes = 0;

  int64_t WeightsOf(const ChannelBlock& block) const { return int64_t{block.first_vector} * lanes * positions; }
};

/// Packs weights [C, 1, KH, KW] (rounded to problem.compute), a bias (empty: zeros), INT8's weight scales and
/// factors (PackConv). Throws Error(kInvalidInput) when the sizes don't fit.
std::vector<std::byte> PackDepthwise(const ConvProblem& problem, const ConvTactic& tactic, const CpuFeatures& features,
                                     std::span<const float> weights, std::span<const float> bias,
                                     std::span<const float> weight_scales = {}, std::span<const float> factors = {});
std::vector<float> UnpackDepthwiseWeights(const ConvProblem& problem, const ConvTactic& tactic,
                                          const CpuFeatures& features, std::span<const std::byte> packed);
std::vector<float> UnpackDepthwiseBias(const ConvProblem& problem, const ConvTactic& tactic,
                                       const CpuFeatures& features, std::span<const std::byte> packed);

/// Depthwise convolution (one input and one output channel a group), vectors over channels: FP32 arithmetic on FP32 or
/// BF16 tensors, or on u8 as exact as INT32; dots of u8 where the CPU has them. Immutable; Run may be called by many
/// threads at once.
class DepthwiseConv {
 public:
  /// Throws Error(kInvalidInput) when the tactic does not fit the registers.
  DepthwiseConv(const ConvProblem& problem, const ConvTactic& tactic, const CpuFeatures& features);

  /// Independent pieces of work: (image, block of rows), all channels each.
  int64_t work_items() const { return int64_t{problem_.n} * row_blocks_; }
  size_t packed_bytes() const { return packing_.size_bytes; }
  void Run(const ConvArgs& args, int64_t item) const;

 private:
  void Generate();
  size_t EmitTile(JitCode& code, const ChannelBlock& block, const TileVariant& variant) const;
  size_t EmitDotTile(JitCode& code, const ChannelBlock& block, const TileVariant& variant) const;
  void RunRow(const ConvArgs& args, int image, int row, int block) const;

  ConvProblem problem_;
  Isa isa_;
  DepthwisePacking packing_;
  ItemOrder order_;
  std::vector<ChannelBlock> blocks_;
  RowTiling tiling_;
  int row_blocks_ = 1;
  std::vector<std::vector<TileFunction>> functions_;  ///< [block][variant]
  std::unique_ptr<JitCode> code_;
};

}  // namespace tenon::cpu
