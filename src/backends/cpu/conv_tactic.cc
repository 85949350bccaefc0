#include "backends/cpu/conv_tactic.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "backends/cpu/row_tiling.h"
#include "base/error.h"

namespace tenon::cpu {
namespace {

constexpr std::string_view kChannelsInnerText = "oc", kRowsInnerText = "rows";

int CeilDiv(int a, int b) { return (a + b - 1) / b; }

[[noreturn]] void ThrowNoTactic(std::string_view text) {
  ThrowInvalid(
      {.what = "not a tactic of the direct convolution", .got = std::string(text), .expected = "\"v4 p5 rb4 oc\""});
}

struct RegisterTile {
  int vectors, pixels;
};

std::vector<RegisterTile> RegisterTiles(Isa isa) {
  if (isa == Isa::kAvx2) return {{3, 4}, {3, 3}, {2, 5}, {2, 4}, {1, 12}, {1, 10}, {1, 8}, {4, 2}};
  return {{4, 6}, {4, 5}, {5, 5}, {6, 4}, {3, 9}, {3, 8}, {2, 14}, {2, 12}, {2, 10}, {1, 28}, {1, 24}, {1, 20}};
}

/// Cycles of all tiles of the problem on one core, roughly: what the arithmetic or the loads of a step take, whichever
/// is more, and a fixed price for a tile's start and its epilogue. Every further block of channels reads the input
/// again: about 1% each on yolov8n's layers.
double TileCycles(const ConvProblem& problem, const CpuFeatures& features, const RegisterTile& tile) {
  constexpr double kTileCycles = 30, kEpilogueCycles = 12, kLoadsPerCycle = 1.6, kBlockShare = 0.01;
  const Isa isa = BestIsa(features);
  const int steps = CeilDiv(problem.group_ic(), ChannelsPerStep(DotOf(problem, features))) * problem.kh * problem.kw;
  const int tiles = CeilDiv(problem.ow, tile.pixels);
  const double pixels = static_cast<double>(problem.ow) / tiles;
  // Two multiply-adds a cycle and a latency of 4 need 8 accumulators; with AVX2's fewer spare registers, 10 in
  // practice.
  const double latency = isa == Isa::kAvx512 ? 8 : 10;
  double cycles = 0;
  const auto blocks = SplitChannels(problem.group_oc(), tile.vectors, LanesOf(isa));
  for (const ChannelBlock& block : blocks) {
    const double dots = pixels * block.vectors;
    const double step = std::max({dots, latency, (pixels + block.vectors) / kLoadsPerCycle});
    cycles += tiles * (steps * step + kTileCycles + kEpilogueCycles * dots);
  }
  return cycles * problem.oh * problem.n * problem.groups *
         (1 + kBlockShare * (static_cast<double>(blocks.size()) - 1));
}

/// Work items of about 2 MFLOP (20 us) and more, 16 a thread where there is work enough.
int DefaultRowBlock(const ConvProblem& problem, int units, int blocks, int threads) {
  constexpr double kItemFlops = 2e6;
  const double wanted = std::clamp(problem.Flops() / kItemFlops, 1.0, 16.0 * threads);
  const double per_channel_block = wanted / (static_cast<double>(problem.n) * problem.groups * blocks);
  const int row_blocks = std::clamp(static_cast<int>(std::ceil(per_channel_block)), 1, units);
  return CeilDiv(units, row_blocks);
}

int RowUnits(const ConvProblem& flat, int pixels) { return IsOneRow(flat) ? CeilDiv(flat.ow, pixels) : flat.oh; }

bool IsLinear(const View& view, int ow) { return view.h_stride == ow * view.w_stride; }

}  // namespace

std::optional<int> TakeNumber(std::string_view& text, std::string_view name) {
  constexpr int kMost = 1 << 24;
  int value = 0;
  if (!text.starts_with(name)) return std::nullopt;
  const char *begin = text.data() + name.size(), *whole = text.data() + text.size();
  const auto [end, error] = std::from_chars(begin, whole, value);
  if (error != std::errc() || value < 1 || value > kMost || end == whole || *end != ' ') return std::nullopt;
  text.remove_prefix(end + 1 - text.data());
  return value;
}

std::string ConvTactic::ToString() const {
  return fmt::format("v{} p{} rb{} {}", vectors, pixels, row_block,
                     order == ItemOrder::kChannelsInner ? kChannelsInnerText : kRowsInnerText);
}

ConvTactic ConvTactic::Parse(std::string_view text) {
  std::string_view rest = text;
  ConvTactic tactic;
  for (const auto& [name, member] : {std::pair("v", &ConvTactic::vectors), std::pair("p", &ConvTactic::pixels),
                                     std::pair("rb", &ConvTactic::row_block)}) {
    const std::optional<int> number = TakeNumber(rest, name);
    if (!number) ThrowNoTactic(rest);
    tactic.*member = *number;
  }
  if (rest == kRowsInnerText) {
    tactic.order = ItemOrder::kRowsInner;
  } else if (rest != kChannelsInnerText) {
    ThrowNoTactic(text);
  }
  return tactic;
}

Dot DotOf(const ConvProblem& problem, const CpuFeatures& features) {
  if (problem.is_int8()) return features.avx512_vnni ? Dot::kInt8 : Dot::kInt16;
  const bool both = problem.input.dtype == DType::kBFloat16 && problem.compute == DType::kBFloat16;
  return both ? Dot::kBFloat16 : Dot::kFloat32;
}

bool IsOneRow(const ConvProblem& problem) { return problem.oh == 1; }

ConvProblem Flatten(const ConvProblem& problem) {
  const bool is_pointwise = problem.kh == 1 && problem.kw == 1 && problem.stride_h == 1 && problem.stride_w == 1 &&
                            problem.pad_top == 0 && problem.pad_left == 0 && problem.oh == problem.ih &&
                            problem.ow == problem.iw;
  bool is_linear = IsLinear(problem.input, problem.ow) && IsLinear(problem.output, problem.ow);
  if (problem.epilogue.residual) is_linear &= IsLinear(*problem.epilogue.residual, problem.ow);
  for (const ExtraStore& extra : problem.epilogue.extra_stores) {
    is_linear &= extra.scale == 1 && IsLinear(extra.view, problem.ow);
  }
  if (!is_pointwise || !is_linear || int64_t{problem.oh} * problem.ow > INT32_MAX) return problem;
  ConvProblem flat = problem;
  flat.iw = flat.ow = problem.oh * problem.ow;
  flat.ih = flat.oh = 1;
  return flat;
}

std::vector<ChannelBlock> SplitChannels(int channels, int vectors, int lanes) {
  const int total = CeilDiv(channels, lanes), count = CeilDiv(total, vectors);
  std::vector<ChannelBlock> blocks;
  for (int b = 0, first = 0; b < count; ++b) {
    const int size = total / count + (b < total % count ? 1 : 0);
    const int tail = b == count - 1 ? channels - (total - 1) * lanes : lanes;
    blocks.push_back({.first_vector = first, .vectors = size, .tail_lanes = tail});
    first += size;
  }
  return blocks;
}

std::vector<ConvTactic> ConvCandidates(const ConvProblem& problem, const CpuFeatures& features, int threads) {
  const Isa isa = BestIsa(features);
  const ConvProblem flat = Flatten(problem);
  const int total_vectors = CeilDiv(flat.group_oc(), LanesOf(isa));
  std::vector<std::pair<double, RegisterTile>> tiles;
  for (const RegisterTile& tile : RegisterTiles(isa)) {
    if (tile.vectors <= total_vectors || tile.vectors == 1) tiles.push_back({TileCycles(flat, features, tile), tile});
  }
  std::stable_sort(tiles.begin(), tiles.end(), [](const auto& a, const auto& b) { return a.first < b.first; });

  const bool weights_fit =
      problem.WeightCount() * SizeOf(problem.input.dtype) < static_cast<int64_t>(features.l2_bytes / 2);
  const ItemOrder order = weights_fit ? ItemOrder::kChannelsInner : ItemOrder::kRowsInner;
  const ItemOrder other = weights_fit ? ItemOrder::kRowsInner : ItemOrder::kChannelsInner;
  std::vector<ConvTactic> candidates;
  const auto add = [&](const ConvTactic& tactic) {
    if (std::find(candidates.begin(), candidates.end(), tactic) == candidates.end()) candidates.push_back(tactic);
  };
  const auto with_default_rows = [&](const RegisterTile& tile) {
    const int blocks = CeilDiv(total_vectors, tile.vectors), units = RowUnits(flat, tile.pixels);
    return ConvTactic{tile.vectors, tile.pixels, DefaultRowBlock(flat, units, blocks, threads), order};
  };
  // The first few are all that a quick tuner times: two tiles, then what else the best tile can do, then more tiles.
  const ConvTactic best = with_default_rows(tiles.front().second);
  const int most_rows = RowUnits(flat, best.pixels);
  add(best);
  if (tiles.size() > 1) add(with_default_rows(tiles[1].second));
  if (total_vectors > best.vectors) add({best.vectors, best.pixels, best.row_block, other});
  add({best.vectors, best.pixels, std::min(most_rows, best.row_block * 2), order});
  for (const auto& [cycles, tile] : tiles) add(with_default_rows(tile));
  add({best.vectors, best.pixels, std::max(1, best.row_block / 2), order});
  add({best.vectors, best.pixels, std::min(most_rows, best.row_block * 4), order});
  if (total_vectors > best.vectors) add({best.vectors, best.pixels, std::min(most_rows, best.row_block * 4), other});
  return candidates;
}

}  // namespace tenon::cpu
