#pragma once
#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/cpu/aligned_buffer.h"
#include "backends/cpu/conv_tactic.h"
#include "backends/cpu/row_tiling.h"
#include "backends/cpu/winograd_tile.h"

namespace tenon::cpu {

/// Parameters of a Winograd convolution. None of them changes the result.
struct WinogradTactic {
  int vectors = 1;  ///< register tile of the products: vectors of output channels, at most
  int pixels = 1;   ///< register tile: Winograd tiles, at most
  int tiles = 1;    ///< Winograd tiles of one work item, at most
  int shares = 1;   ///< work items that share the output channels of the same tiles, at most

  /// "v4 p6 t24 s1"
  std::string ToString() const;
  /// Throws Error(kInvalidInput) for anything that ToString doesn't write.
  static WinogradTactic Parse(std::string_view text);
  friend bool operator==(const WinogradTactic&, const WinogradTactic&) = default;
};

/// Why the form can't compute the problem; empty when it can.
std::string WhyNotWinograd(const ConvProblem& problem, WinogradForm form, const CpuFeatures& features);
/// The dot instruction of the products. In INT8 they are of words: exact in INT32, whatever the inputs.
Dot WinogradDotOf(const ConvProblem& problem, const CpuFeatures& features);

/// Tactics for a supported problem, the cost model's favourite first; pure, at least one.
std::vector<WinogradTactic> WinogradCandidates(const ConvProblem& problem, WinogradForm form,
                                               const CpuFeatures& features, int threads);

/// Where things lie in packed weights: the plain weights [ic][3][3][oc], output channels padded to whole vectors, in
/// their own type; then the biases in FP32, for INT8 then the multipliers. The transformed weights, four times as many,
/// are made at load (ExpandWinograd): it takes milliseconds, and the engine stays small and holds what it was built
/// from.
struct WinogradPacking {
  WinogradPacking(const ConvProblem& problem, const CpuFeatures& features);

  DType dtype;                 ///< of the weights: kFloat32, kBFloat16 or kInt8
  int lanes = 0, vectors = 0;  ///< vectors of output channels
  int64_t channels_bytes = 0;  ///< one float for each output channel, in whole vectors
  int64_t bias_offset = 0, multiplier_offset = 0, size = 0;
};
/// As PackConv, without factors.
std::vector<std::byte> PackWinograd(const ConvProblem& problem, const CpuFeatures& features,
                                    std::span<const float> weights, std::span<const float> bias,
                                    std::span<const float> weight_scales = {});
std::vector<float> UnpackWinogradWeights(const ConvProblem& problem, const CpuFeatures& features,
                                         std::span<const std::byte> packed);
std::vector<float> UnpackWinogradBias(const ConvProblem& problem, const CpuFeatures& features,
                                      std::span<const std::byte> packed);

/// Where things lie in expanded weights, which kernels read: transformed weights [filter][vector][step][lane][channel
/// of the step], then the biases in FP32, for INT8 then, channels_bytes behind them, what sums are multiplied by. The
/// same for all tactics.
struct WinogradExpansion {
  WinogradExpansion(const ConvProblem& problem, WinogradForm form, const CpuFeatures& features);

  Dot dot;
  int steps = 0;
  int64_t vector_bytes = 0;  ///< all steps of one vector; an odd number of lines
  int64_t filter_bytes = 0;
  int64_t bias_offset = 0, size = 0;
};
/// Transforms packed weights. In INT8 they are rounded to 16 bits and fewer, so that no sum of products exceeds 32
/// bits, with a scale of its own for each output channel: the error is about that of 8-bit weights at 300 input
/// channels, and in proportion to them.
AlignedBuffer ExpandWinograd(const ConvProblem& problem, WinogradForm form, const CpuFeatures& features,
                             std::span<const std::byte> packed);

/// A 3x3 convolution. A work item transforms some tiles into scratch memory
/// that stays in the L2, and for each block of output channels multiplies them point by point on the register-tile
/// generator and transforms the products back, with the epilogue. The result of an output depends on its tile alone:
/// not on batch, threads or tactic. Immutable; Run may be called by many threads at once.
class WinogradConv {
 public:
  /// Throws Error(kInvalidInput) when the tactic does not fit the registers, kUnsupportedDevice as Displacement.
  WinogradConv(const ConvProblem& problem, WinogradForm form, const WinogradTactic& tactic,
               const CpuFeatures& features);

  int64_t work_items() const { return int64_t{item_tiles_count_} * shares_; }
  size_t scratch_bytes() const { return static_cast<size_t>(scratch_bytes_); }
  size_t packed_bytes() const { return static_cast<size_t>(packing_.size); }
  /// @param args with expanded weights as `packed`
  void Run(const ConvArgs& args, int64_t item, std::byte* scratch) const;

 private:
  /// A tile's place: the image, and its first output.
  struct Place {
    int image, y, x;
  };

  void Layout();
  void Generate();
  WinogradInputTile InputTile(bool is_inside) const;
  GemmTile ProductTile(const ChannelBlock& block, const TileVariant& variant) const;
  WinogradOutputTile OutputTile(const ChannelBlock& block, int columns) const;
  Place PlaceOf(int64_t tile) const;
  bool IsInside(const Place& place) const;
  void TransformInput(const ConvArgs& args, const Place& place, std::byte* to) const;
  void Multiply(const std::byte* filters, size_t block, const std::byte* inputs, std::byte* products) const;
  void TransformOutput(const ConvArgs& args, size_t block, const Place& place, const std::byte* products) const;

  ConvProblem problem_;
  WinogradForm form_;
  int outputs_, points_;
  Isa isa_;
  WinogradPacking packing_;
  WinogradExpansion expansion_;
  std::vector<ChannelBlock> blocks_;
  int rows_ = 1, columns_ = 1;  ///< tiles of an image
  int64_t tiles_ = 1;           ///< of the batch
  int item_tiles_ = 1, item_tiles_count_ = 1, shares_ = 1;
  RowTiling tiling_;  ///< of an item's tiles as pixels of a product
  // Scratch memory: transformed inputs [point][tile][ic], then products [point][tile][oc of a block].
  int64_t input_tile_bytes_ = 0, input_point_bytes_ = 0, product_point_bytes_ = 0, scratch_bytes_ = 0;
  std::vector<float> zeros_;        ///< first sums of products
  std::vector<std::byte> outside_;  ///< a pixel outside of the image: zeros, or zero points
  WinogradInputFunction input_inside_ = nullptr, input_border_ = nullptr;
  std::vector<std::vector<TileFunction>> multiply_;                     ///< [block][variant]
  std::vector<std::array<TileFunction, kMostWinogradOutputs>> output_;  ///< [block][columns - 1]
  std::unique_ptr<JitCode> code_;
};

}  // namespace tenon::cpu
