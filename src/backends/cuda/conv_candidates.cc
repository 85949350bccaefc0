#include <algorithm>
#include <cmath>
#include <utility>

#include "backends/cuda/conv_line.h"
#include "backends/cuda/conv_tactic.h"

namespace tenon::cuda {
namespace {

/// Time in arbitrary units: what a multiprocessor's blocks take, one after another in waves.
double EstimateCost(const ConvProblem& p, const ConvTactic& t, const DeviceLimits& limits) {
  const LaunchShape shape = LaunchShapeOf(p, t);
  const double blocks = static_cast<double>(shape.grid_x) * shape.grid_y;
  const int by_memory = limits.shared_bytes_per_multiprocessor / (shape.shared_bytes + 1024);
  const int resident = std::clamp(std::min(by_memory, 1024 / t.threads()), 1, 16);
  if (t.kernel == ConvKernel::kDepthwise) return blocks / t.pixels;
  const double k_bytes = static_cast<double>(p.taps()) * p.group_ic() * p.element_bytes();
  const double per_multiprocessor = std::ceil(blocks / limits.multiprocessors);
  const double waves = std::ceil(per_multiprocessor / resident);
  // Matrix instructions of all resident blocks share the units; loads and the chain of steps are latency.
  const double multiply = per_multiprocessor * t.bm * t.bn * k_bytes / 2048;
  const double traffic = per_multiprocessor * (t.bm + t.bn) * k_bytes / 48;
  const double steps = std::ceil(k_bytes / 32 / t.split_k);
  const double parts = static_cast<double>(t.bm) / t.warps_m / 16 * t.bn / t.warps_n / 16;
  const double latency =
      waves * (900 + steps * (20 + 16 * parts) + (t.kernel == ConvKernel::kGemm ? 60 * k_bytes / t.bk : 0));
  const double finish = per_multiprocessor * t.bm * t.bn * (t.split_k > 1 ? 0.09 : 0.05) + (t.split_k > 1 ? 400 : 0);
  return std::max({multiply, traffic, latency}) + finish;
}

/// The same for conv_wgmma.cu, in cycles: a multiprocessor multiplies, reads and finishes at the same time; a tile goes
/// through all of that in its warpgroup, one after another.
double EstimateWgmmaCost(const ConvProblem& p, const ConvTactic& t, const DeviceLimits& limits) {
  const ConvLine line = ConvLine::Of(p);
  const LaunchShape shape = LaunchShapeOf(p, t);
  const double all_tiles = static_cast<double>(CeilDiv(line.positions, t.bm)) * CeilDiv(p.oc, t.bn);
  const double tiles = std::ceil(all_tiles / shape.grid_x) * std::ceil(1.0 * shape.grid_x / limits.multiprocessors);
  const double piece_bytes = 32.0 * line.steps, taps = static_cast<double>(line.taps.size());
  const double weights = piece_bytes * line.pieces * taps * t.bn;
  // An instruction of 64 rows multiplies in bn / 2 cycles, and reads its operands in 16 + bn / 4.
  const double instruction = std::max(t.bn / 2.0, 16 + t.bn / 4.0) * 1.1 + 2;
  const double multiply = t.bm / 64.0 * instruction * line.steps * line.pieces * taps + 100.0 * line.pieces;
  // L2's share of a multiprocessor; less where the ring holds less than what is under way in its latency.
  const double patch = line.PatchPixels(t.bm) * piece_bytes;
  const double rate = std::min(26.0, t.stages * t.residents * patch / 1200);
  const double traffic = patch * line.pieces / rate + (t.weight_stages > 0 ? weights / 26 : 0);
  const double finish = 0.11 * t.bm * t.bn;
  const double alone = (500 + multiply + 1.5 * finish) / (t.consumers * t.residents);
  const double first = 1500 + (t.weight_stages == 0 ? weights / 40 : 0) + patch / rate + finish;
  return first + tiles * std::max({multiply, traffic, finish, alone});
}

double EstimateImageCost(const ConvProblem& p, const ConvTactic& t, const DeviceLimits& limits) {
  const LaunchShape shape = LaunchShapeOf(p, t);
  const double pixels = t.tile_h * t.tile_w;
  const double resident =
      std::min(12.0, std::floor(limits.shared_bytes_per_multiprocessor / (shape.shared_bytes + 1024.0)));
  const double waves = std::ceil(1.0 * shape.grid_x / limits.multiprocessors / resident);
  return std::max(1.0 * shape.grid_x / limits.multiprocessors * pixels * (2.5 + 0.1 * t.bn),
                  waves * (1200 + pixels * 10));
}

double CostOf(const ConvProblem& p, const ConvTactic& t, const DeviceLimits& limits) {
  if (t.kernel == ConvKernel::kWgmma) return EstimateWgmmaCost(p, t, limits);
  if (t.kernel == ConvKernel::kImage) return EstimateImageCost(p, t, limits);
  return EstimateCost(p, t, limits);
}

/// As many patches, and after them taps of weights, as shared memory holds: more in flight was never slower. False
/// where not even two fit.
bool AddDeepest(std::vector<ConvTactic>& list, const ConvProblem& p, ConvTactic tactic, const DeviceLimits& limits) {
  const auto fits = [&] { return WhyUnfit(p, tactic, limits).empty(); };
  if (!fits()) return false;
  constexpr int kMostStages = 6, kMostWeightStages = 8;
  do ++tactic.stages;
  while (tactic.stages <= kMostStages && fits());
  --tactic.stages;
  if (tactic.weight_stages > 0) {
    do ++tactic.weight_stages;
    while (tactic.weight_stages <= kMostWeightStages && fits());
    --tactic.weight_stages;
  }
  list.push_back(tactic);
  return true;
}

/// Three warpgroups multiply in turns, or two where three have too few registers or where two blocks fit.
void AddWgmmaCandidates(std::vector<ConvTactic>& list, const ConvProblem& p, const DeviceLimits& limits) {
  const int widest = (p.oc + 15) / 16 * 16;
  for (const int bm : {64, 128, 192, 256})
    for (const int bn : {16, 32, 48, 64, 80, 96, 128, 160, 192, 256})
      for (const int weight_stages : {0, 4}) {
        if (bn > widest) continue;
        ConvTactic tactic{.kernel = ConvKernel::kWgmma,
                          .bm = bm,
                          .bn = bn,
                          .stages = 2,
                          .consumers = 3,
                          .weight_stages = weight_stages,
                          .grid = limits.multiprocessors};
        const bool has_three = AddDeepest(list, p, tactic, limits);
        tactic.consumers = 2;
        if (!has_three) AddDeepest(list, p, tactic, limits);
        tactic.residents = 2, tactic.grid *= 2;
        AddDeepest(list, p, tactic, limits);
      }
}

void AddImageCandidates(std::vector<ConvTactic>& list) {
  for (const int bn : {16, 32, 48, 64})
    for (const auto& [h, w] :
         {std::pair{2, 32}, {4, 32}, {8, 32}, {2, 64}, {4, 64}, {8, 64}, {1, 160}, {2, 160}, {4, 16}})
      list.push_back({.kernel = ConvKernel::kImage, .bn = bn, .tile_h = h, .tile_w = w});
}

void AddGemmCandidates(std::vector<ConvTactic>& list) {
  struct Warps {
    int bm, bn, m, n, k;
  };
  static constexpr Warps kTiles[] = {
      {16, 16, 1, 1, 4},  {16, 32, 1, 1, 4},  {32, 16, 1, 1, 4},   {16, 32, 1, 2, 2},   {32, 32, 1, 1, 4},
      {32, 32, 2, 2, 1},  {32, 32, 1, 2, 2},  {16, 64, 1, 1, 4},   {16, 64, 1, 4, 1},   {32, 64, 1, 2, 2},
      {32, 64, 1, 2, 4},  {32, 64, 1, 1, 4},  {32, 64, 2, 2, 1},   {64, 16, 4, 1, 1},   {64, 16, 2, 1, 2},
      {64, 32, 2, 2, 1},  {64, 32, 4, 1, 1},  {64, 32, 2, 1, 2},   {64, 32, 2, 1, 4},   {64, 64, 2, 2, 1},
      {64, 64, 2, 2, 2},  {64, 64, 4, 1, 1},  {128, 16, 4, 1, 1},  {128, 32, 4, 1, 1},  {128, 48, 4, 1, 1},
      {128, 64, 4, 1, 1}, {128, 64, 2, 2, 1}, {128, 80, 4, 1, 1},  {64, 80, 4, 1, 1},   {64, 48, 4, 1, 1},
      {64, 128, 2, 4, 1}, {64, 128, 2, 2, 1}, {128, 128, 2, 2, 1}, {128, 128, 2, 4, 1}, {128, 128, 4, 2, 1},
      {256, 16, 8, 1, 1}, {256, 32, 8, 1, 1}, {256, 64, 4, 2, 1},  {256, 64, 8, 1, 1},  {16, 16, 1, 1, 8},
      {16, 32, 1, 1, 8},  {16, 32, 1, 2, 4},  {32, 32, 1, 1, 8},   {32, 32, 2, 1, 4},   {16, 64, 1, 2, 4}};
  for (const Warps& w : kTiles)
    for (const int bk : {64, 128, 256, 512})
      for (const int stages : {3, 4})
        list.push_back({.kernel = ConvKernel::kGemm,
                        .bm = w.bm,
                        .bn = w.bn,
                        .warps_m = w.m,
                        .warps_n = w.n,
                        .split_k = w.k,
                        .bk = bk,
                        .stages = stages});
}

void AddPatchCandidates(std::vector<ConvTactic>& list) {
  struct Tile {
    int h, w, bn, m, n, k;
  };
  static constexpr Tile kTiles[] = {
      {4, 4, 16, 1, 1, 4},   {4, 4, 32, 1, 1, 4},   {4, 4, 64, 1, 2, 2},  {4, 8, 16, 1, 1, 4},   {4, 8, 32, 1, 1, 4},
      {4, 8, 32, 2, 1, 2},   {4, 8, 64, 2, 2, 2},   {8, 8, 16, 2, 1, 4},  {8, 8, 32, 2, 1, 4},   {8, 8, 16, 4, 1, 1},
      {8, 8, 32, 4, 1, 1},   {8, 8, 32, 4, 1, 2},   {8, 8, 64, 2, 2, 1},  {8, 16, 16, 8, 1, 1},  {8, 16, 16, 4, 1, 1},
      {8, 16, 32, 4, 1, 1},  {8, 16, 32, 4, 2, 1},  {8, 16, 64, 4, 2, 1}, {16, 16, 16, 8, 1, 1}, {16, 16, 32, 8, 1, 1},
      {16, 16, 48, 8, 1, 1}, {16, 16, 64, 8, 1, 1}, {4, 20, 16, 5, 1, 1}, {4, 20, 32, 5, 1, 1},  {2, 20, 32, 3, 1, 2},
      {16, 16, 80, 8, 1, 1}, {8, 16, 80, 4, 1, 1},  {5, 10, 32, 4, 1, 1}, {2, 8, 32, 1, 1, 4},   {2, 8, 16, 1, 1, 4}};
  for (const Tile& t : kTiles)
    list.push_back({.kernel = ConvKernel::kPatch,
                    .bm = CeilDiv(t.h * t.w, 16 * t.m) * 16 * t.m,
                    .bn = t.bn,
                    .warps_m = t.m,
                    .warps_n = t.n,
                    .split_k = t.k,
                    .tile_h = t.h,
                    .tile_w = t.w});
}

/// One of `first`, one of `second`, and so on.
std::vector<ConvTactic> Alternately(const std::vector<ConvTactic>& first, const std::vector<ConvTactic>& second) {
  std::vector<ConvTactic> both;
  for (size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i < first.size()) both.push_back(first[i]);
    if (i < second.size()) both.push_back(second[i]);
  }
  return both;
}

}  // namespace

std::vector<ConvTactic> ConvCandidates(const ConvProblem& p, const DeviceLimits& limits) {
  std::vector<ConvTactic> all;
  if (p.is_depthwise())
    for (const int pixels : {1, 2, 4, 8}) all.push_back({.kernel = ConvKernel::kDepthwise, .pixels = pixels});
  AddGemmCandidates(all);
  AddPatchCandidates(all);
  AddWgmmaCandidates(all, p, limits);
  AddImageCandidates(all);
  std::vector<std::pair<double, ConvTactic>> fit;
  for (const ConvTactic& tactic : all) {
    const bool is_too_wide = tactic.kernel != ConvKernel::kDepthwise && tactic.bn >= 2 * std::max(16, p.group_oc());
    if (!is_too_wide && WhyUnfit(p, tactic, limits).empty()) fit.emplace_back(CostOf(p, tactic, limits), tactic);
  }
  std::stable_sort(fit.begin(), fit.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  // A depthwise kernel wastes nothing; the others multiply mostly zeros there.
  std::stable_partition(fit.begin(), fit.end(),
                        [](const auto& f) { return f.second.kernel == ConvKernel::kDepthwise; });
  // Which of the two is faster for an image no model has foreseen: on an H200 conv_image is at batch 32, by far, and
  // for 16 channels at batch 1, but not for 32 channels there.
  std::vector<ConvTactic> images, candidates;
  for (const auto& [cost, tactic] : fit) (tactic.kernel == ConvKernel::kImage ? images : candidates).push_back(tactic);
  return images.empty() ? candidates : Alternately(images, candidates);
}

}  // namespace tenon::cuda
