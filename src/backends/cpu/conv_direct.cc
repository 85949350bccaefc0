#include "backends/cpu/conv_direct.h"

#include <algorithm>

#include "base/error.h"

namespace tenon::cpu {

DirectConv::DirectConv(const ConvProblem& problem, const ConvTactic& tactic, const CpuFeatures& features)
    : problem_(Flatten(problem)),
      tactic_(tactic),
      isa_(BestIsa(features)),
      packing_(problem, tactic.vectors, features),
      tiling_(TileRow(RowOf(problem_), tactic.pixels)) {
  if (!FitsRegisters(isa_, tactic.pixels, tactic.vectors)) {
    ThrowInvalid({.what = "a tactic needs more registers than there are", .got = tactic.ToString()});
  }
  row_units_ = IsOneRow(problem_) ? tiling_.tiles : problem_.oh;
  row_blocks_ = (row_units_ + tactic.row_block - 1) / tactic.row_block;
  Generate();
}

GemmTile DirectConv::MakeTile(const ChannelBlock& block, const TileVariant& variant) const {
  const View& in = problem_.input;
  TileEpilogue epilogue = MakeTileEpilogue(problem_);
  if (problem_.is_int8()) {
    epilogue.sums = Sums::kInteger;
    epilogue.multiplier_bytes = packing_.multiplier_offset - packing_.bias_offset;
  }
  epilogue.factor_bytes = packing_.factor_offset - packing_.bias_offset;
  return {.shape = {.pixels = variant.pixels, .vectors = block.vectors, .tail_lanes = block.tail_lanes},
          .dot = packing_.dot,
          .input_dtype = in.dtype,
          .channels = problem_.group_ic(),
          .columns = variant.columns,
          .last_inputs = RowOf(problem_).marks_last ? variant.last_inputs : std::vector<int>(),
          .pixel_bytes = problem_.stride_w * in.w_stride,
          .column_bytes = problem_.dilation_w * in.w_stride,
          .row_bytes = problem_.dilation_h * in.h_stride,
          .channel_bytes = in.c_stride,
          .start_offsets = StartOffsets(variant),
          .epilogue = epilogue};
}

std::vector<int64_t> DirectConv::StartOffsets(const TileVariant& variant) const {
  std::vector<int64_t> offsets;
  for (int p = 0; problem_.is_int8() && p < variant.pixels; ++p)
    offsets.push_back(RangeIndex(packing_.columns, SeenColumns(variant.columns, p)) * packing_.channels_bytes);
  return offsets;
}

// Blocks of the same width share their code.
void DirectConv::Generate() {
  std::vector<std::vector<size_t>> offsets;
  const auto is_same = [](const ChannelBlock& a, const ChannelBlock& b) {
    return a.vectors == b.vectors && a.tail_lanes == b.tail_lanes;
  };
  code_ = GenerateCode(isa_, [&](JitCode& code) {
    offsets.clear();
    for (size_t b = 0; b < packing_.blocks.size(); ++b) {
      const auto twin = std::find_if(packing_.blocks.begin(), packing_.blocks.begin() + b,
                                     [&](const auto& other) { return is_same(other, packing_.blocks[b]); });
      if (twin != packing_.blocks.begin() + b) {
        offsets.push_back(offsets[twin - packing_.blocks.begin()]);
        continue;
      }
      offsets.emplace_back();
      for (const TileVariant& variant : tiling_.variants) {
        offsets.back().push_back(EmitGemmTile(code, MakeTile(packing_.blocks[b], variant)));
      }
    }
  });
  for (const auto& of_block : offsets) {
    functions_.emplace_back();
    for (const size_t offset : of_block) functions_.back().push_back(code_->At<TileFunction>(offset));
  }
}

DirectConv::Piece DirectConv::PieceOf(int64_t item) const {
  TENON_CHECK(item >= 0 && item < work_items());
  const int blocks = channel_blocks();
  const int inner = static_cast<int>(item % (int64_t{blocks} * row_blocks_));
  const int64_t outer = item / (int64_t{blocks} * row_blocks_);
  const bool channels_inner = tactic_.order == ItemOrder::kChannelsInner;
  const int block = channels_inner ? inner % blocks : inner / row_blocks_;
  const int rows = channels_inner ? inner / blocks : inner % row_blocks_;
  Piece piece{.image = static_cast<int>(outer / problem_.groups),
              .group = static_cast<int>(outer % problem_.groups),
              .block = block,
              .row_begin = 0,
              .row_end = 1,
              .tile_begin = 0,
              .tile_end = tiling_.tiles};
  const int begin = EvenSplit(row_units_, row_blocks_, rows), end = EvenSplit(row_units_, row_blocks_, rows + 1);
  (IsOneRow(problem_) ? piece.tile_begin : piece.row_begin) = begin;
  (IsOneRow(problem_) ? piece.tile_end : piece.row_end) = end;
  return piece;
}

void DirectConv::Run(const ConvArgs& args, int64_t item) const {
  const Piece piece = PieceOf(item);
  for (int row = piece.row_begin; row < piece.row_end; ++row) RunRow(args, piece, row);
}

void DirectConv::RunRow(const ConvArgs& args, const Piece& piece, int row) const {
  const ConvProblem& p = problem_;
  const ChannelBlock& block = packing_.blocks[piece.block];
  const int64_t first_row = int64_t{row} * p.stride_h - p.pad_top;
  const KernelRange rows = ValidKernelRange(first_row, p.kh, p.dilation_h, p.ih);
  const int64_t oc = int64_t{piece.group} * p.group_oc() + block.first_vector * packing_.lanes;
  // Addresses of skipped taps may lie outside of the image: formed as integers, never read.
  const uintptr_t input = reinterpret_cast<uintptr_t>(args.input) +
                          p.input.OffsetOf(piece.image, int64_t{piece.group} * p.group_ic(),
                                           first_row + int64_t{rows.begin} * p.dilation_h, -p.pad_left);
  const int64_t kernel_row_bytes = int64_t{p.kw} * packing_.position_bytes * block.vectors;
  for (const TileRun& run : tiling_.runs) {
    const int begin = std::max(run.first_tile, piece.tile_begin);
    const int end = std::min(run.first_tile + run.tiles, piece.tile_end);
    if (begin >= end) continue;
    const int64_t x = run.first_output + int64_t{begin - run.first_tile} * tiling_.variants[run.variant].pixels;
    TileArgs tile;
    tile.input = reinterpret_cast<const void*>(input + x * p.stride_w * p.input.w_stride);
    tile.weights = args.packed + packing_.WeightOffset(piece.group, block) + rows.begin * kernel_row_bytes;
    tile.bias = reinterpret_cast<const float*>(args.packed + packing_.BiasOffset(piece.group, block));
    if (p.is_int8())
      tile.starts = args.packed + packing_.StartOffset(piece.group, block, RangeIndex(packing_.rows, rows));
    SetOutputs(p, args, piece.image, oc, row, x, tile);
    tile.tiles = end - begin;
    tile.kernel_rows = rows.size();
    functions_[piece.block][run.variant](&tile);
  }
}

}  // namespace tenon::cpu
