#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "backends/cuda/conv_problem.h"

namespace tenon::cuda {

/// Tiles of `b` that cover `a`, as launches count them.
inline int CeilDiv(int64_t a, int64_t b) { return static_cast<int>((a + b - 1) / b); }

/// What a tactic has to fit into.
struct DeviceLimits {
  int capability = 80;  ///< compute capability: 90 for 9.0
  int multiprocessors = 1;
  int shared_bytes_per_block = 48 << 10;  ///< after opting in
  int shared_bytes_per_multiprocessor = 64 << 10;
};

enum class ConvKernel { kGemm, kPatch, kWgmma, kImage, kDepthwise };

/// Parameters of a convolution kernel (kernels/conv_*.cu). Results depend on the order of
/// the sums: on `split_k` with kGemm and kPatch, which share it; kWgmma, kImage and kDepthwise have one each.
struct ConvTactic {
  ConvKernel kernel = ConvKernel::kGemm;
  int bm = 64, bn = 32;                       ///< a block's output pixels and channels
  int warps_m = 2, warps_n = 2, split_k = 1;  ///< groups of warps; split_k of them share K, by steps of 32 bytes
  int bk = 64;                                ///< kGemm: bytes of K in a stage
  int stages = 4;                             ///< kGemm, kWgmma
  int tile_h = 8, tile_w = 8;                 ///< kPatch, kImage: output pixels of a block
  int consumers = 2;                          ///< kWgmma: warpgroups that multiply
  int weight_stages = 0;                      ///< kWgmma: taps of weights in shared memory; 0: all
  int grid = 1, residents = 1;                ///< kWgmma: blocks at most, and at once on a multiprocessor
  int pixels = 4;                             ///< kDepthwise: neighbours of a thread

  int threads() const;
  /// "gemm 64x32x128 w2x2x1 s4", "patch 64x32 t8x8 w2x2x1", "wgmma 128x64 c2 s4 w0 g132x1", "image t4x64 n16",
  /// "depthwise p4".
  std::string ToString() const;
  /// Throws Error(kInvalidInput) for anything that ToString doesn't write.
  static ConvTactic Parse(std::string_view text);
  friend bool operator==(const ConvTactic&, const ConvTactic&) = default;
};

/// Blocks and shared memory of a launch.
struct LaunchShape {
  int grid_x = 1, grid_y = 1, threads = 128, shared_bytes = 0;
};
LaunchShape LaunchShapeOf(const ConvProblem& problem, const ConvTactic& tactic);

/// Why the tactic can't compute the (flattened, supported) problem; empty when it can.
std::string WhyUnfit(const ConvProblem& problem, const ConvTactic& tactic, const DeviceLimits& limits);

/// Tactics that fit, the cost model's favourite first; pure.
std::vector<ConvTactic> ConvCandidates(const ConvProblem& problem, const DeviceLimits& limits);

}  // namespace tenon::cuda
