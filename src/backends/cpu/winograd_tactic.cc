#include <algorithm>
#include <cmath>

#include "backends/cpu/winograd_choice.h"
#include "backends/cpu/winograd_conv.h"
#include "base/error.h"

namespace tenon::cpu {
namespace {

constexpr int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Of the whole batch.
int64_t TilesOf(const ConvProblem& problem, WinogradForm form) {
  const int outputs = WinogradOutputs(form);
  return int64_t{problem.n} * CeilDiv(problem.oh, outputs) * CeilDiv(problem.ow, outputs);
}

[[noreturn]] void ThrowNoTactic(std::string_view text) {
  ThrowInvalid(
      {.what = "not a tactic of a Winograd convolution", .got = std::string(text), .expected = "\"v4 p6 t24 s1\""});
}

struct RegisterTile {
  int vectors, pixels;
};

std::vector<RegisterTile> RegisterTiles(Isa isa) {
  if (isa == Isa::kAvx2) return {{3, 4}, {2, 5}, {2, 4}, {1, 12}, {1, 8}};
  return {{4, 6}, {4, 5}, {5, 5}, {6, 4}, {3, 9}, {3, 8}, {2, 14}, {2, 12}, {2, 10}, {1, 28}, {1, 20}};
}

/// Cycles of all items on the busiest of `threads` cores, roughly.
double Cycles(const ConvProblem& problem, WinogradForm form, const CpuFeatures& features, int threads,
              const WinogradTactic& tactic) {
  constexpr double kCallCycles = 40, kLoadsPerCycle = 1.6, kL3BytesPerCycle = 12;
  const Isa isa = BestIsa(features);
  const int lanes = LanesOf(isa), points = WinogradPoints(form);
  const int per_step = ChannelsPerStep(WinogradDotOf(problem, features));
  const int64_t tiles = TilesOf(problem, form);
  const int64_t items = CeilDiv(tiles, tactic.tiles), item_tiles = CeilDiv(tiles, items);
  const int64_t steps = CeilDiv(problem.ic, per_step), row_tiles = CeilDiv(item_tiles, tactic.pixels);
  const double pixels = static_cast<double>(item_tiles) / row_tiles, latency = isa == Isa::kAvx512 ? 8 : 10;
  const auto blocks = SplitChannels(problem.oc, tactic.vectors, lanes);
  double item = static_cast<double>(tactic.shares) * item_tiles * WinogradInputCycles(problem, form, lanes);
  for (const ChannelBlock& block : blocks) {
    const double step = std::max({pixels * block.vectors, latency, (pixels + block.vectors) / kLoadsPerCycle});
    const double weight_bytes = 4.0 * static_cast<double>(steps) * block.vectors * lanes;
    const double products = kCallCycles + row_tiles * (static_cast<double>(steps) * step + pixels * block.vectors * 2);
    item += points * std::max(products, weight_bytes / kL3BytesPerCycle);
    item += static_cast<double>(item_tiles) * WinogradOutputCycles(form) * block.vectors;
  }
  const int64_t all = items * tactic.shares;
  return item / tactic.shares * static_cast<double>(CeilDiv(all, threads));
}

int64_t ScratchBytes(const ConvProblem& problem, WinogradForm form, const CpuFeatures& features, int tiles,
                     int vectors) {
  const int lanes = LanesOf(BestIsa(features)), per_step = ChannelsPerStep(WinogradDotOf(problem, features));
  return WinogradPoints(form) * int64_t{tiles} * lanes *
         (CeilDiv(problem.ic, lanes) * 4 / per_step + int64_t{vectors} * 4);
}

}  // namespace

std::string WinogradTactic::ToString() const { return fmt::format("v{} p{} t{} s{}", vectors, pixels, tiles, shares); }

WinogradTactic WinogradTactic::Parse(std::string_view text) {
  const std::string words = std::string(text) + ' ';
  std::string_view rest = words;
  WinogradTactic tactic;
  for (const auto& [name, member] : {std::pair("v", &WinogradTactic::vectors), std::pair("p", &WinogradTactic::pixels),
                                     std::pair("t", &WinogradTactic::tiles), std::pair("s", &WinogradTactic::shares)}) {
    const std::optional<int> number = TakeNumber(rest, name);
    if (!number) ThrowNoTactic(text);
    tactic.*member = *number;
  }
  if (tactic.ToString() != text) ThrowNoTactic(text);
  return tactic;
}

std::string WhyNotWinograd(const ConvProblem& p, WinogradForm form, const CpuFeatures& features) {
  if (std::string why_not = WhyUnsupported(p, features); !why_not.empty()) return why_not;
  if (p.is_int8() != (form == WinogradForm::kF4Words)) return "another form is for that type";
  if (p.kh != kWinogradKernel || p.kw != kWinogradKernel) return "a kernel other than 3x3";
  if (p.stride_h != WinogradStride(form) || p.stride_w != WinogradStride(form))
    return "another form is for that stride";
  if (p.dilation_h != 1 || p.dilation_w != 1) return "a dilation";
  if (p.groups != 1) return "groups";
  if (p.ic > 1 && p.input.c_stride != SizeOf(p.input.dtype)) return "input channels that are not next to each other";
  if (p.epilogue.has_factors) return "factors of an output";
  if (p.is_int8() && BestIsa(features) == Isa::kAvx2 && p.ic % WinogradStepChannels(form, Isa::kAvx2) != 0)
    return "input channels that aren't whole vectors";  // AVX2 has no masked loads of bytes
  const int64_t reach = WinogradInputs(form) * (std::abs(p.input.h_stride) + std::abs(p.input.w_stride));
  return reach > INT32_MAX ? "rows too far from each other" : "";
}

std::vector<WinogradTactic> WinogradCandidates(const ConvProblem& problem, WinogradForm form,
                                               const CpuFeatures& features, int threads) {
  const Isa isa = BestIsa(features);
  const int64_t tiles = TilesOf(problem, form);
  const auto all_vectors = static_cast<int>(CeilDiv(problem.oc, LanesOf(isa)));
  std::vector<std::pair<double, WinogradTactic>> ranked;
  const auto add = [&](const RegisterTile& tile, int64_t most_tiles, int shares) {
    const int64_t items = CeilDiv(tiles, most_tiles);
    const WinogradTactic tactic{tile.vectors, tile.pixels, static_cast<int>(CeilDiv(tiles, items)), shares};
    const auto is_same = [&](const auto& other) { return other.second == tactic; };
    if (std::any_of(ranked.begin(), ranked.end(), is_same)) return;
    ranked.push_back({Cycles(problem, form, features, threads, tactic), tactic});
  };
  for (const RegisterTile& tile : RegisterTiles(isa)) {
    if (tile.vectors > all_vectors && tile.vectors > 1) continue;
    for (int64_t rounds = 1; rounds <= 8; rounds *= 2) {
      const int64_t most = std::min<int64_t>(tiles, rounds * tile.pixels);
      const int64_t scratch = ScratchBytes(problem, form, features, static_cast<int>(most), tile.vectors);
      if (rounds > 1 && scratch > static_cast<int64_t>(features.l2_bytes)) continue;
      add(tile, most, 1);
      if (tiles < int64_t{threads} * most * 4 && all_vectors > tile.vectors) add(tile, most, 2);
    }
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<WinogradTactic> candidates;
  for (const auto& [cycles, tactic] : ranked) candidates.push_back(tactic);
  return candidates;
}

}  // namespace tenon::cpu
