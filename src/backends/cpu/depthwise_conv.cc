#include "backends/cpu/depthwise_conv.h"

#include <algorithm>

#include "backends/cpu/depthwise_dot_tile.h"
#include "backends/cpu/depthwise_tile.h"
#include "base/error.h"

namespace tenon::cpu {
namespace {

int CeilDiv(int a, int b) { return (a + b - 1) / b; }

bool Fits(Isa isa, const ConvTactic& tactic) {
  return tactic.pixels * tactic.vectors + kEpilogueTemps <= RegistersOf(isa);
}

}  // namespace

std::string WhyNotDepthwise(const ConvProblem& problem) {
  if (!problem.is_depthwise()) return "not one channel a group";
  if (problem.input.c_stride != SizeOf(problem.input.dtype)) return "input channels are not next to each other";
  constexpr double kMostExact = 1 << 24;  // whole numbers in FP32
  if (problem.is_int8() && double(problem.kh) * problem.kw * 255 * 128 >= kMostExact)
    return "a kernel of too many taps";
  return "";
}

std::vector<ConvTactic> DepthwiseCandidates(const ConvProblem& problem, const CpuFeatures& features, int threads) {
  constexpr double kItemFlops = 2e5;  // bound by loads and stores: less work per item than a dense convolution
  const Isa isa = BestIsa(features);
  const double items = std::clamp(problem.Flops() / kItemFlops, 1.0, 16.0 * threads) / problem.n;
  const int row_block = std::max(1, static_cast<int>(problem.oh / items));
  const int total_vectors = CeilDiv(problem.oc, LanesOf(isa));
  struct Tile {
    int vectors, pixels;
  };
  const std::vector<Tile> tiles = isa == Isa::kAvx512
                                      ? std::vector<Tile>{{2, 8}, {1, 14}, {2, 6}, {1, 10}, {3, 6}, {4, 4}, {1, 20}}
                                      : std::vector<Tile>{{1, 8}, {2, 4}, {1, 6}, {1, 10}, {2, 5}};
  std::vector<ConvTactic> candidates;
  for (const Tile& tile : tiles) {
    if (tile.vectors > total_vectors && tile.vectors > 1) continue;
    candidates.push_back({tile.vectors, tile.pixels, row_block, ItemOrder::kChannelsInner});
  }
  const ConvTactic best = candidates.front();
  candidates.push_back({best.vectors, best.pixels, row_block, ItemOrder::kRowsInner});
  candidates.push_back({best.vectors, best.pixels, row_block * 2, ItemOrder::kChannelsInner});
  return candidates;
}

DepthwiseConv::DepthwiseConv(const ConvProblem& problem, const ConvTactic& tactic, const CpuFeatures& features)
    : problem_(problem),
      isa_(BestIsa(features)),
      packing_(problem, features),
      order_(tactic.order),
      blocks_(SplitChannels(problem.oc, tactic.vectors, LanesOf(isa_))),
      tiling_(TileRow(RowOf(problem), tactic.pixels)),
      row_blocks_(CeilDiv(problem.oh, tactic.row_block)) {
  if (!Fits(isa_, tactic)) {
    ThrowInvalid({.what = "a tactic needs more registers than there are", .got = tactic.ToString()});
  }
  Generate();
}

void DepthwiseConv::Generate() {
  std::vector<std::vector<size_t>> offsets;
  code_ = GenerateCode(isa_, [&](JitCode& code) {
    offsets.assign(blocks_.size(), {});
    for (size_t b = 0; b < blocks_.size(); ++b) {
      const ChannelBlock& block = blocks_[b];
      if (b > 0 && blocks_[b - 1].vectors == block.vectors && blocks_[b - 1].tail_lanes == block.tail_lanes) {
        offsets[b] = offsets[b - 1];
        continue;
      }
      for (const TileVariant& variant : tiling_.variants)
        offsets[b].push_back(packing_.uses_dots ? EmitDotTile(code, block, variant) : EmitTile(code, block, variant));
    }
  });
  for (const auto& of_block : offsets) {
    functions_.emplace_back();
    for (const size_t offset : of_block) functions_.back().push_back(code_->At<TileFunction>(offset));
  }
}

size_t DepthwiseConv::EmitTile(JitCode& code, const ChannelBlock& block, const TileVariant& variant) const {
  const View& in = problem_.input;
  TileEpilogue epilogue = MakeTileEpilogue(problem_);
  if (problem_.is_int8()) {
    epilogue.sums = Sums::kIntegerFloats;
    epilogue.multiplier_bytes = packing_.channels * 4;
  }
  epilogue.factor_bytes = (packing_.factors - packing_.biases) * 4;
  return EmitDepthwiseTile(
      code, {.shape = {.pixels = variant.pixels, .vectors = block.vectors, .tail_lanes = block.tail_lanes},
             .input_dtype = in.dtype,
             .zero_point = problem_.quantization.x.zero_point,
             .stride = problem_.stride_w,
             .dilation = problem_.dilation_w,
             .columns = variant.columns,
             .input_pixel_bytes = in.w_stride,
             .row_bytes = problem_.dilation_h * in.h_stride,
             .epilogue = epilogue});
}

size_t DepthwiseConv::EmitDotTile(JitCode& code, const ChannelBlock& block, const TileVariant& variant) const {
  const View& in = problem_.input;
  TileEpilogue epilogue = MakeTileEpilogue(problem_);
  epilogue.sums = Sums::kInteger;
  epilogue.multiplier_bytes = packing_.channels * 4;
  epilogue.factor_bytes = (packing_.factors - packing_.biases) * 4;
  std::vector<int64_t> starts;
  for (int p = 0; p < variant.pixels; ++p)
    starts.push_back(RangeIndex(packing_.columns, SeenColumns(variant.columns, p)) * packing_.channels * 4);
  return EmitDepthwiseDotTile(
      code, {.shape = {.pixels = variant.pixels, .vectors = block.vectors, .tail_lanes = block.tail_lanes},
             .kernel_rows = problem_.kh,
             .zero_point = problem_.quantization.x.zero_point,
             .stride = problem_.stride_w,
             .dilation = problem_.dilation_w,
             .columns = variant.columns,
             .input_pixel_bytes = in.w_stride,
             .start_offsets = starts,
             .epilogue = epilogue});
}

void DepthwiseConv::Run(const ConvArgs& args, int64_t item) const {
  TENON_CHECK(item >= 0 && item < work_items());
  const int image = static_cast<int>(item / row_blocks_), part = static_cast<int>(item % row_blocks_);
  const int begin = EvenSplit(problem_.oh, row_blocks_, part), end = EvenSplit(problem_.oh, row_blocks_, part + 1);
  const int blocks = static_cast<int>(blocks_.size());
  if (order_ == ItemOrder::kChannelsInner) {
    for (int row = begin; row < end; ++row) {
      for (int b = 0; b < blocks; ++b) RunRow(args, image, row, b);
    }
  } else {
    for (int b = 0; b < blocks; ++b) {
      for (int row = begin; row < end; ++row) RunRow(args, image, row, b);
    }
  }
}

void DepthwiseConv::RunRow(const ConvArgs& args, int image, int row, int block_index) const {
  const ConvProblem& p = problem_;
  const ChannelBlock& block = blocks_[block_index];
  const int64_t first_row = int64_t{row} * p.stride_h - p.pad_top,
                channel = int64_t{block.first_vector} * packing_.lanes;
  const KernelRange rows = ValidKernelRange(first_row, p.kh, p.dilation_h, p.ih);
  // Dots take all rows, those outside of the image by their masks.
  const int begin = packing_.uses_dots ? 0 : rows.begin;
  const auto* packed = reinterpret_cast<const float*>(args.packed);
  // Addresses of skipped taps may lie outside of the image: formed as integers, never read.
  const uintptr_t input = reinterpret_cast<uintptr_t>(args.input) +
                          p.input.OffsetOf(image, channel, first_row + int64_t{begin} * p.dilation_h, -p.pad_left);
  TileArgs tile;
  if (packing_.uses_dots) SetRows(rows, p.dilation_h * p.input.h_stride, block.tail_lanes, tile);
  for (const TileRun& run : tiling_.runs) {
    tile.input = reinterpret_cast<const void*>(input + int64_t{run.first_output} * p.stride_w * p.input.w_stride);
    tile.weights = packed + packing_.WeightsOf(block) + int64_t{begin} * p.kw * block.vectors * packing_.lanes;
    tile.bias = packed + packing_.biases + channel;
    tile.starts = packed + packing_.starts + channel;
    SetOutputs(p, args, image, channel, row, run.first_output, tile);
    tile.tiles = run.tiles;
    tile.kernel_rows = rows.size();
    functions_[block_index][run.variant](&tile);
  }
}

}  // namespace tenon::cpu
