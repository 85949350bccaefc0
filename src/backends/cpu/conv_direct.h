#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "backends/cpu/conv_problem.h"
#include "backends/cpu/conv_tactic.h"
#include "backends/cpu/row_tiling.h"

namespace tenon::cpu {

/// Where things lie in packed weights: per group and block of output channels [kh][kw][step][vector][lane], then all
/// biases, padded to whole vectors; for INT8 then all multipliers and, per range of kernel rows and range of kernel
/// columns that outputs see, all first sums: -zero point * the sum of these weights. Depends on the problem, the
/// features and `tactic.vectors` alone.
struct ConvPacking {
  ConvPacking(const ConvProblem& problem, int vectors, const CpuFeatures& features);

  Dot dot;
  int lanes = 0;
  int steps = 0;               ///< per kernel position
  int group_vectors = 0;       ///< vectors of output channels in a group
  int64_t vector_bytes = 0;    ///< one vector of weights
  int64_t position_bytes = 0;  ///< one vector of output channels at one kernel position
  int64_t column_bytes = 0;    ///< one vector of output channels, all kernel positions
  int64_t bias_offset = 0;
  int64_t channels_bytes = 0;  ///< one word for each output channel, in whole vectors
  int64_t multiplier_offset = 0, start_offset = 0;
  int64_t factor_offset = 0;               ///< where the problem has factors: steps per unit
  std::vector<KernelRange> rows, columns;  ///< INT8: as outputs see them
  int64_t size = 0;
  std::vector<ChannelBlock> blocks;

  int64_t WeightOffset(int group, const ChannelBlock& block) const {
    return (int64_t{group} * group_vectors + block.first_vector) * column_bytes;
  }
  int64_t BiasOffset(int group, const ChannelBlock& block) const { return bias_offset + ChannelOffset(group, block); }
  /// The first sums of a block where the kernel rows rows[row_range] are seen; those of the column ranges follow,
  /// channels_bytes apart.
  int64_t StartOffset(int group, const ChannelBlock& block, int row_range) const {
    return start_offset + row_range * static_cast<int64_t>(columns.size()) * channels_bytes +
           ChannelOffset(group, block);
  }

 private:
  int64_t ChannelOffset(int group, const ChannelBlock& block) const {
    return (int64_t{group} * group_vectors + block.first_vector) * lanes * 4;
  }
};

/// Packs weights [OC, IC/groups, KH, KW] and a bias (empty: zeros); BF16 rounds to nearest even. INT8 takes the
/// weights as whole numbers and has a scale for every output channel.
/// @param factors [OC], of problems that have some: a channel is stored with the scale quantization.y.scale / factor
/// Throws Error(kInvalidInput) when the sizes don't fit the problem or overflow.
std::vector<std::byte> PackConv(const ConvProblem& problem, const ConvTactic& tactic, const CpuFeatures& features,
                                std::span<const float> weights, std::span<const float> bias,
                                std::span<const float> weight_scales = {}, std::span<const float> factors = {});
/// The weights [OC, IC/groups, KH, KW] back, as rounded.
std::vector<float> UnpackConvWeights(const ConvProblem& problem, const ConvTactic& tactic, const CpuFeatures& features,
                                     std::span<const std::byte> packed);
std::vector<float> UnpackConvBias(const ConvProblem& problem, const ConvTactic& tactic, const CpuFeatures& features,
                                  std::span<const std::byte> packed);

/// Direct convolution on one register-tile generator. Immutable; Run may be called by many threads at once.
class DirectConv {
 public:
  /// Throws Error(kInvalidInput) when the tactic does not fit the registers, kUnsupportedDevice as Displacement.
  DirectConv(const ConvProblem& problem, const ConvTactic& tactic, const CpuFeatures& features);

  /// Independent pieces of work: (image, group, block of channels, block of rows).
  int64_t work_items() const { return int64_t{problem_.n} * problem_.groups * channel_blocks() * row_blocks_; }
  void Run(const ConvArgs& args, int64_t item) const;
  const ConvPacking& packing() const { return packing_; }
  size_t packed_bytes() const { return packing_.size; }
  /// The block of output channels that an item computes: an index into packing().blocks.
  int BlockOf(int64_t item) const { return PieceOf(item).block; }
  size_t code_bytes() const { return code_->getSize(); }

 private:
  /// Half-open ranges of rows and of tiles inside them.
  struct Piece {
    int image, group, block;
    int row_begin, row_end, tile_begin, tile_end;
  };

  int channel_blocks() const { return static_cast<int>(packing_.blocks.size()); }
  void Generate();
  GemmTile MakeTile(const ChannelBlock& block, const TileVariant& variant) const;
  std::vector<int64_t> StartOffsets(const TileVariant& variant) const;
  Piece PieceOf(int64_t item) const;
  void RunRow(const ConvArgs& args, const Piece& piece, int row) const;

  ConvProblem problem_;
  ConvTactic tactic_;
  Isa isa_;
  ConvPacking packing_;
  RowTiling tiling_;
  int row_units_ = 1, row_blocks_ = 1;
  std::vector<std::vector<TileFunction>> functions_;  ///< [block][variant]
  std::unique_ptr<JitCode> code_;
};

}  // namespace tenon::cpu
