#include "backends/cpu/winograd_conv.h"

#include <algorithm>

#include "base/error.h"

namespace tenon::cpu {
namespace {

int CeilDiv(int64_t a, int64_t b) { return static_cast<int>((a + b - 1) / b); }

/// A distance between points that is an odd number of cache lines: at a power of two all points of a tile would fall
/// into the same few sets of the L1.
int64_t SpreadOverCache(int64_t bytes) {
  constexpr int64_t kLine = 64;
  const int64_t lines = (bytes + kLine - 1) / kLine;
  return (lines | 1) * kLine;
}

}  // namespace

WinogradConv::WinogradConv(const ConvProblem& problem, WinogradForm form, const WinogradTactic& tactic,
                           const CpuFeatures& features)
    : problem_(problem),
      form_(form),
      outputs_(WinogradOutputs(form)),
      points_(WinogradPoints(form)),
      isa_(BestIsa(features)),
      packing_(problem, features),
      expansion_(problem, form, features),
      blocks_(SplitChannels(problem.oc, tactic.vectors, packing_.lanes)),
      rows_(CeilDiv(problem.oh, outputs_)),
      columns_(CeilDiv(problem.ow, outputs_)),
      tiles_(int64_t{problem.n} * rows_ * columns_),
      item_tiles_count_(CeilDiv(tiles_, tactic.tiles)),
      shares_(std::min<int>(tactic.shares, static_cast<int>(blocks_.size()))) {
  if (!FitsRegisters(isa_, tactic.pixels, tactic.vectors))
    ThrowInvalid({.what = "a tactic needs more registers than there are", .got = tactic.ToString()});
  item_tiles_ = CeilDiv(tiles_, item_tiles_count_);
  tiling_ = TileRow({.outputs = item_tiles_, .inputs = item_tiles_}, tactic.pixels);
  Layout();
  Generate();
}

void WinogradConv::Layout() {
  int most_vectors = 0;
  for (const ChannelBlock& block : blocks_) most_vectors = std::max(most_vectors, block.vectors);
  const int step = WinogradStepChannels(form_, isa_);
  const int64_t elem_bytes = 4 / ChannelsPerStep(expansion_.dot);
  input_tile_bytes_ = int64_t{CeilDiv(problem_.ic, step)} * step * elem_bytes;
  input_point_bytes_ = SpreadOverCache(item_tiles_ * input_tile_bytes_);
  product_point_bytes_ = SpreadOverCache(int64_t{item_tiles_} * most_vectors * packing_.lanes * 4);
  scratch_bytes_ = points_ * (input_point_bytes_ + product_point_bytes_);
  zeros_.assign(static_cast<size_t>(most_vectors * packing_.lanes), 0.0f);
  const bool is_int8 = problem_.is_int8();
  outside_.assign(static_cast<size_t>(problem_.ic * SizeOf(problem_.input.dtype)),
                  static_cast<std::byte>(is_int8 ? problem_.quantization.x.zero_point : 0));
}

WinogradInputTile WinogradConv::InputTile(bool is_inside) const {
  const bool is_int8 = problem_.is_int8();
  return {.form = form_,
          .channels = problem_.ic,
          .input_dtype = problem_.input.dtype,
          .dot = expansion_.dot,
          .zero_point = is_int8 ? static_cast<int>(problem_.quantization.x.zero_point) : 0,
          .is_inside = is_inside,
          .row_bytes = problem_.input.h_stride,
          .pixel_bytes = problem_.input.w_stride,
          .point_bytes = input_point_bytes_};
}

GemmTile WinogradConv::ProductTile(const ChannelBlock& block, const TileVariant& variant) const {
  const bool is_int8 = problem_.is_int8();
  GemmTile tile{.shape = {.pixels = variant.pixels, .vectors = block.vectors, .tail_lanes = packing_.lanes},
                .dot = expansion_.dot,
                .input_dtype = expansion_.dot == Dot::kBFloat16 ? DType::kBFloat16 : DType::kFloat32,
                .channels = is_int8 ? (problem_.ic + 1) / 2 * 2 : problem_.ic,
                .columns = {{0, variant.pixels}},
                .pixel_bytes = input_tile_bytes_,
                .channel_bytes = 4 / ChannelsPerStep(expansion_.dot),
                .start_offsets = std::vector<int64_t>(is_int8 ? variant.pixels : 0, 0),
                .weight_vector_bytes = expansion_.vector_bytes};
  tile.epilogue.targets = {{.pixel_bytes = int64_t{block.vectors} * packing_.lanes * 4}};  // 32 bits of either kind
  return tile;
}

WinogradOutputTile WinogradConv::OutputTile(const ChannelBlock& block, int columns) const {
  WinogradOutputTile tile{.form = form_,
                          .columns = columns,
                          .vectors = block.vectors,
                          .tail_lanes = block.tail_lanes,
                          .point_bytes = product_point_bytes_,
                          .epilogue = MakeTileEpilogue(problem_),
                          .target_row_bytes = {problem_.output.h_stride}};
  if (problem_.is_int8()) {
    tile.epilogue.sums = Sums::kIntegerFloats;
    tile.epilogue.multiplier_bytes = packing_.channels_bytes;
  }
  for (const ExtraStore& extra : problem_.epilogue.extra_stores)
    tile.target_row_bytes.push_back(extra.view.h_stride * extra.scale);
  if (problem_.epilogue.residual) tile.residual_row_bytes = problem_.epilogue.residual->h_stride;
  return tile;
}

// Blocks of the same width share their code.
void WinogradConv::Generate() {
  const int last_columns = (problem_.ow - 1) % outputs_ + 1;
  std::vector<std::vector<size_t>> multiply_at;
  std::vector<std::array<size_t, kMostWinogradOutputs>> output_at;
  size_t inside_at = 0, border_at = 0;
  code_ = GenerateCode(isa_, [&](JitCode& code) {
    multiply_at.clear();
    output_at.clear();
    inside_at = EmitWinogradInput(code, InputTile(true));
    border_at = EmitWinogradInput(code, InputTile(false));
    for (size_t b = 0; b < blocks_.size(); ++b) {
      const auto twin = std::find_if(blocks_.begin(), blocks_.begin() + b, [&](const ChannelBlock& other) {
        return other.vectors == blocks_[b].vectors && other.tail_lanes == blocks_[b].tail_lanes;
      });
      if (twin != blocks_.begin() + b) {
        multiply_at.push_back(multiply_at[twin - blocks_.begin()]);
        output_at.push_back(output_at[twin - blocks_.begin()]);
        continue;
      }
      multiply_at.emplace_back();
      for (const TileVariant& variant : tiling_.variants)
        multiply_at.back().push_back(EmitGemmTile(code, ProductTile(blocks_[b], variant)));
      output_at.emplace_back();
      for (const int columns : {outputs_, last_columns}) {
        if (columns == outputs_ && problem_.ow < outputs_) continue;
        output_at.back()[columns - 1] = EmitWinogradOutput(code, OutputTile(blocks_[b], columns));
      }
    }
  });
  input_inside_ = code_->At<WinogradInputFunction>(inside_at);
  input_border_ = code_->At<WinogradInputFunction>(border_at);
  for (size_t b = 0; b < blocks_.size(); ++b) {
    multiply_.emplace_back();
    for (const size_t offset : multiply_at[b]) multiply_.back().push_back(code_->At<TileFunction>(offset));
    output_.emplace_back();
    for (int c = 0; c < outputs_; ++c) output_.back()[c] = code_->At<TileFunction>(output_at[b][c]);
  }
}

WinogradConv::Place WinogradConv::PlaceOf(int64_t tile) const {
  const int64_t image = tile / (int64_t{rows_} * columns_);
  const int in_image = static_cast<int>(tile % (int64_t{rows_} * columns_));
  return {static_cast<int>(image), in_image / columns_ * outputs_, in_image % columns_ * outputs_};
}

bool WinogradConv::IsInside(const Place& place) const {
  const int size = WinogradInputs(form_), stride = WinogradStride(form_);
  const int y = place.y * stride - problem_.pad_top, x = place.x * stride - problem_.pad_left;
  return y >= 0 && x >= 0 && y + size <= problem_.ih && x + size <= problem_.iw;
}

void WinogradConv::TransformInput(const ConvArgs& args, const Place& place, std::byte* to) const {
  const ConvProblem& p = problem_;
  const int size = WinogradInputs(form_), stride = WinogradStride(form_);
  const int y0 = place.y * stride - p.pad_top, x0 = place.x * stride - p.pad_left;
  WinogradInputArgs tile;
  tile.to = to;
  if (IsInside(place)) {
    tile.pixels[0] = args.input + p.input.OffsetOf(place.image, 0, y0, x0);
    return input_inside_(&tile);
  }
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const bool exists = y0 + y >= 0 && y0 + y < p.ih && x0 + x >= 0 && x0 + x < p.iw;
      tile.pixels[y * size + x] =
          exists ? static_cast<const void*>(args.input + p.input.OffsetOf(place.image, 0, y0 + y, x0 + x))
                 : outside_.data();
    }
  }
  input_border_(&tile);
}

void WinogradConv::Multiply(const std::byte* filters, size_t block, const std::byte* inputs,
                            std::byte* products) const {
  filters += blocks_[block].first_vector * expansion_.vector_bytes;
  const int64_t product_bytes = int64_t{blocks_[block].vectors} * packing_.lanes * 4;
  for (int point = 0; point < points_; ++point) {
    for (const TileRun& run : tiling_.runs) {
      TileArgs tile;
      tile.input = inputs + point * input_point_bytes_ + run.first_output * input_tile_bytes_;
      tile.weights = filters + WinogradFilterOf(form_, point) * expansion_.filter_bytes;
      tile.bias = zeros_.data();
      tile.starts = zeros_.data();
      tile.targets[0] = products + point * product_point_bytes_ + run.first_output * product_bytes;
      tile.tiles = run.tiles;
      tile.kernel_rows = 1;
      multiply_[block][run.variant](&tile);
    }
  }
}

void WinogradConv::TransformOutput(const ConvArgs& args, size_t block, const Place& place,
                                   const std::byte* products) const {
  const int64_t oc = int64_t{blocks_[block].first_vector} * packing_.lanes;
  TileArgs tile;
  tile.input = products;
  tile.bias = reinterpret_cast<const float*>(args.packed + expansion_.bias_offset) + oc;
  tile.kernel_rows = std::min(outputs_, problem_.oh - place.y);
  SetOutputs(problem_, args, place.image, oc, place.y, place.x, tile);
  output_[block][std::min(outputs_, problem_.ow - place.x) - 1](&tile);
}

void WinogradConv::Run(const ConvArgs& args, int64_t item, std::byte* scratch) const {
  TENON_CHECK(item >= 0 && item < work_items());
  const int64_t group = item / shares_;
  const auto share = static_cast<int>(item % shares_);
  const int64_t begin = tiles_ * group / item_tiles_count_, end = tiles_ * (group + 1) / item_tiles_count_;
  std::byte* products = scratch + points_ * input_point_bytes_;
  // Items differ by one tile at most: the smaller ones multiply their last tile twice.
  for (int i = 0; i < item_tiles_; ++i)
    TransformInput(args, PlaceOf(std::min(begin + i, end - 1)), scratch + i * input_tile_bytes_);
  const int blocks = static_cast<int>(blocks_.size());
  for (int b = EvenSplit(blocks, shares_, share); b < EvenSplit(blocks, shares_, share + 1); ++b) {
    Multiply(args.packed, static_cast<size_t>(b), scratch, products);
    const int64_t tile_bytes = int64_t{blocks_[b].vectors} * packing_.lanes * 4;
    for (int64_t tile = begin; tile < end; ++tile)
      TransformOutput(args, static_cast<size_t>(b), PlaceOf(tile), products + (tile - begin) * tile_bytes);
  }
}

}  // namespace tenon::cpu
