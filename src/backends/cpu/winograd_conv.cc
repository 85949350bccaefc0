#include "backends/cpu/winograd_conv.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "ir/float16.h"

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

int64_t FilterPointBytes(const ConvProblem& problem, const WinogradPacking& packing, int vectors) {
  return int64_t{CeilDiv(problem.ic, ChannelsPerStep(packing.dot))} * vectors * packing.lanes * 4;
}

}  // namespace

WinogradConv::WinogradConv(const ConvProblem& problem, int outputs, const WinogradTactic& tactic,
                           const CpuFeatures& features)
    : problem_(problem),
      outputs_(outputs),
      points_(WinogradPoints(outputs)),
      isa_(BestIsa(features)),
      packing_(problem, features),
      blocks_(SplitChannels(problem.oc, tactic.vectors, packing_.lanes)),
      rows_(CeilDiv(problem.oh, outputs)),
      columns_(CeilDiv(problem.ow, outputs)),
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
  for (const ChannelBlock& block : blocks_) {
    filter_offsets_.push_back(filter_bytes_);
    filter_bytes_ += points_ * FilterPointBytes(problem_, packing_, block.vectors);
    most_vectors = std::max(most_vectors, block.vectors);
  }
  input_tile_bytes_ = int64_t{CeilDiv(problem_.ic, packing_.lanes)} * packing_.lanes * packing_.elem_bytes;
  input_point_bytes_ = SpreadOverCache(item_tiles_ * input_tile_bytes_);
  product_point_bytes_ = SpreadOverCache(int64_t{item_tiles_} * most_vectors * packing_.lanes * 4);
  scratch_bytes_ = points_ * (input_point_bytes_ + product_point_bytes_);
  const int64_t zero_bytes = std::max(input_tile_bytes_, int64_t{most_vectors} * packing_.lanes * 4);
  zeros_.assign(static_cast<size_t>(zero_bytes) / sizeof(float), 0.0f);
}

// Blocks of the same width share their code.
void WinogradConv::Generate() {
  const View& in = problem_.input;
  WinogradInputTile input{.outputs = outputs_,
                          .channels = problem_.ic,
                          .input_dtype = in.dtype,
                          .dtype = packing_.dot == Dot::kBFloat16 ? DType::kBFloat16 : DType::kFloat32,
                          .is_inside = true,
                          .row_bytes = in.h_stride,
                          .pixel_bytes = in.w_stride,
                          .point_bytes = input_point_bytes_};
  const auto multiply = [&](const ChannelBlock& block, const TileVariant& variant) {
    GemmTile tile{.shape = {.pixels = variant.pixels, .vectors = block.vectors, .tail_lanes = packing_.lanes},
                  .dot = packing_.dot,
                  .input_dtype = input.dtype,
                  .channels = problem_.ic,
                  .columns = {{0, variant.pixels}},
                  .pixel_bytes = input_tile_bytes_,
                  .channel_bytes = packing_.elem_bytes};
    tile.epilogue.targets = {{.pixel_bytes = int64_t{block.vectors} * packing_.lanes * 4}};
    return tile;
  };
  const auto output = [&](const ChannelBlock& block, int columns) {
    WinogradOutputTile tile{.outputs = outputs_,
                            .columns = columns,
                            .vectors = block.vectors,
                            .tail_lanes = block.tail_lanes,
                            .point_bytes = product_point_bytes_,
                            .epilogue = MakeTileEpilogue(problem_),
                            .target_row_bytes = {problem_.output.h_stride}};
    for (const ExtraStore& extra : problem_.epilogue.extra_stores)
      tile.target_row_bytes.push_back(extra.view.h_stride * extra.scale);
    if (problem_.epilogue.residual) tile.residual_row_bytes = problem_.epilogue.residual->h_stride;
    return tile;
  };
  const int last_columns = (problem_.ow - 1) % outputs_ + 1;
  std::vector<std::vector<size_t>> multiply_at;
  std::vector<std::array<size_t, kMostWinogradOutputs>> output_at;
  size_t inside_at = 0, border_at = 0;
  code_ = GenerateCode(isa_, [&](JitCode& code) {
    multiply_at.clear();
    output_at.clear();
    inside_at = EmitWinogradInput(code, input);
    WinogradInputTile border = input;
    border.is_inside = false;
    border_at = EmitWinogradInput(code, border);
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
        multiply_at.back().push_back(EmitGemmTile(code, multiply(blocks_[b], variant)));
      output_at.emplace_back();
      for (const int columns : {outputs_, last_columns}) {
        if (columns == outputs_ && problem_.ow < outputs_) continue;
        output_at.back()[columns - 1] = EmitWinogradOutput(code, output(blocks_[b], columns));
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

void WinogradConv::Prepare(const std::byte* packed) {
  filters_ = AlignedBuffer(filter_bytes_, "transformed weights");
  const int lanes = packing_.lanes, per_step = ChannelsPerStep(packing_.dot);
  const int64_t row = int64_t{packing_.vectors} * lanes;  // elements of all output channels
  std::vector<float> g(static_cast<size_t>(kWinogradKernel * kWinogradKernel * lanes)), u(points_ * lanes);
  for (size_t b = 0; b < blocks_.size(); ++b) {
    const int64_t point_bytes = FilterPointBytes(problem_, packing_, blocks_[b].vectors);
    for (int c = 0; c < problem_.ic; ++c) {
      for (int v = 0; v < blocks_[b].vectors; ++v) {
        for (int k = 0; k < kWinogradKernel * kWinogradKernel; ++k) {
          const int64_t first = (int64_t{c} * kWinogradKernel * kWinogradKernel + k) * row +
                                int64_t{blocks_[b].first_vector + v} * lanes;
          if (packing_.dot == Dot::kFloat32) {
            std::memcpy(&g[k * lanes], packed + first * 4, lanes * 4);
          } else {
            const auto* halves = reinterpret_cast<const BFloat16*>(packed) + first;
            for (int l = 0; l < lanes; ++l) g[k * lanes + l] = static_cast<float>(halves[l]);
          }
        }
        TransformWinogradWeights(outputs_, lanes, g.data(), u.data());
        std::byte* to = filters_.data() + filter_offsets_[b] +
                        (int64_t{c / per_step} * blocks_[b].vectors + v) * lanes * 4;
        for (int point = 0; point < points_; ++point, to += point_bytes) {
          if (packing_.dot == Dot::kFloat32) {
            std::memcpy(to, &u[point * lanes], lanes * 4);
          } else {
            auto* halves = reinterpret_cast<BFloat16*>(to) + c % per_step;
            for (int l = 0; l < lanes; ++l) halves[l * per_step] = BFloat16(u[point * lanes + l]);
          }
        }
      }
    }
  }
}

WinogradConv::Place WinogradConv::PlaceOf(int64_t tile) const {
  const int64_t image = tile / (int64_t{rows_} * columns_);
  const int in_image = static_cast<int>(tile % (int64_t{rows_} * columns_));
  return {static_cast<int>(image), in_image / columns_ * outputs_, in_image % columns_ * outputs_};
}

bool WinogradConv::IsInside(const Place& place) const {
  const int size = WinogradInputs(outputs_), y = place.y - problem_.pad_top, x = place.x - problem_.pad_left;
  return y >= 0 && x >= 0 && y + size <= problem_.ih && x + size <= problem_.iw;
}

void WinogradConv::TransformInput(const ConvArgs& args, const Place& place, std::byte* to) const {
  const ConvProblem& p = problem_;
  const int size = WinogradInputs(outputs_), y0 = place.y - p.pad_top, x0 = place.x - p.pad_left;
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
                 : zeros_.data();
    }
  }
  input_border_(&tile);
}

void WinogradConv::Multiply(size_t block, const std::byte* inputs, std::byte* products) const {
  const int64_t product_bytes = int64_t{blocks_[block].vectors} * packing_.lanes * 4;
  const int64_t filter_bytes = FilterPointBytes(problem_, packing_, blocks_[block].vectors);
  const std::byte* filters = filters_.data() + filter_offsets_[block];
  for (int point = 0; point < points_; ++point) {
    for (const TileRun& run : tiling_.runs) {
      TileArgs tile;
      tile.input = inputs + point * input_point_bytes_ + run.first_output * input_tile_bytes_;
      tile.weights = filters + point * filter_bytes;
      tile.bias = zeros_.data();
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
  tile.bias = reinterpret_cast<const float*>(args.packed + packing_.bias_offset) + oc;
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
    Multiply(static_cast<size_t>(b), scratch, products);
    const int64_t tile_bytes = int64_t{blocks_[b].vectors} * packing_.lanes * 4;
    for (int64_t tile = begin; tile < end; ++tile)
      TransformOutput(args, static_cast<size_t>(b), PlaceOf(tile), products + (tile - begin) * tile_bytes);
  }
}

}  // namespace tenon::cpu
