#include "backends/cuda/conv_tactic.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "backends/cuda/conv_line.h"
#include "base/error.h"

namespace tenon::cuda {
namespace {

struct PatchShape {
  int pixels, pixel_pitch, weight_pitch;
};

/// Shared memory of kernels/conv_patch.cu, in its own terms.
PatchShape PatchShapeOf(const ConvProblem& p, const ConvTactic& t) {
  const int chunks = p.group_ic() * p.element_bytes() / 16;
  const int h = (t.tile_h - 1) * p.stride_h + (p.kh - 1) * p.dilation_h + 1;
  const int w = (t.tile_w - 1) * p.stride_w + (p.kw - 1) * p.dilation_w + 1;
  return {h * CeilDiv(w, p.stride_w) * p.stride_w, (chunks | 1) * 16, ((p.taps() * chunks) | 1) * 16};
}

int64_t OperandBytes(const ConvProblem& p, const ConvTactic& t) {
  if (t.kernel == ConvKernel::kGemm) return int64_t{t.stages} * (t.bm + t.bn) * t.bk;
  const PatchShape shape = PatchShapeOf(p, t);
  return int64_t{shape.pixels} * shape.pixel_pitch + int64_t{t.bn} * shape.weight_pitch;
}

int64_t WgmmaSharedBytes(const ConvProblem& p, const ConvTactic& t) {
  const ConvLine line = ConvLine::Of(p);
  const int weight_slots = t.weight_stages == 0 ? line.slabs() : t.weight_stages;
  return 3 * 4 * t.bn + 16 * (int64_t{t.stages} + weight_slots + 2) +
         int64_t{line.columns()} *
             (int64_t{weight_slots} * t.bn * 16 + int64_t{t.stages} * line.PatchPixels(t.bm) * 16);
}

int64_t ImageSharedBytes(const ConvProblem& p, const ConvTactic& t) {
  const int h = (t.tile_h - 1) * p.stride_h + (p.kh - 1) * p.dilation_h + 1;
  const int w = (t.tile_w - 1) * p.stride_w + CeilDiv(p.kw, 4) * 4;
  return 3 * 4 * t.bn + int64_t{h} * w * 8;
}

int64_t SharedBytes(const ConvProblem& p, const ConvTactic& t) {
  if (t.kernel == ConvKernel::kDepthwise) return 0;
  if (t.kernel == ConvKernel::kWgmma) return WgmmaSharedBytes(p, t);
  if (t.kernel == ConvKernel::kImage) return ImageSharedBytes(p, t);
  const bool is_staged = t.split_k > 1 || p.compute == DType::kFloat32;
  const int64_t staged = is_staged ? int64_t{t.split_k} * t.bm * (t.bn + 8) * 4 : 0;
  return 3 * 4 * t.bn + std::max(OperandBytes(p, t), staged);
}

std::string WhyWarpsUnfit(const ConvProblem& p, const ConvTactic& t) {
  const bool has_tiles = t.warps_m > 0 && t.warps_n > 0 && t.split_k > 0 && t.bm > 0 && t.bn > 0 &&
                         t.bm % (16 * t.warps_m) == 0 && t.bn % (16 * t.warps_n) == 0 && t.threads() <= 1024;
  if (!has_tiles) return "warps that the tile can't be shared by";
  const int sums = t.bm * t.bn / (t.warps_m * t.warps_n);
  if (sums > (p.compute == DType::kFloat32 ? 64 * 32 : 64 * 64)) return "more sums than registers";
  return p.groups > 65535 ? "more than 65535 groups" : "";
}

std::string WhyGemmUnfit(const ConvProblem& p, const ConvTactic& t) {
  if (t.bk != 64 && t.bk != 128 && t.bk != 256 && t.bk != 512) return "K tiles of 64, 128, 256 or 512 bytes";
  if (t.bk % (32 * t.split_k) != 0) return "a K tile that its warps can't share";
  if (t.stages < 2 || t.stages > 8) return "2 to 8 stages";
  if (t.threads() / (t.bk / 16) % 8 != 0) return "too few threads for the K tile";
  return p.is_depthwise() && p.group_ic() == 1 && t.bn > 16 ? "wide tiles for one channel" : "";
}

std::string WhyPatchUnfit(const ConvProblem& p, const ConvTactic& t) {
  if (p.compute == DType::kFloat32) return "FP32";
  if (!IsCopyable(p) || p.input.Alignment() < 16) return "an input that is not aligned to 16 bytes";
  if (p.group_ic() * p.element_bytes() % 32 != 0) return "channels that are no multiple of 32 bytes";
  return t.tile_h < 1 || t.tile_w < 1 || t.tile_h * t.tile_w > t.bm ? "a tile of more pixels than rows" : "";
}

/// Sums a thread of conv_wgmma.cu holds, of the registers that its warpgroup has.
std::string WhyTooManySums(const ConvTactic& t) {
  const int at_launch = 65536 / (t.threads() * t.residents) / 8 * 8;
  const int left = (at_launch * (1 + t.consumers) - 56) / t.consumers / 8 * 8;  // the producer keeps 56
  return t.bm / 64 * t.bn / 2 > std::min(left, 240) - 40 ? "more sums than registers" : "";
}

std::string WhyWgmmaUnfit(const ConvProblem& p, const ConvTactic& t, const DeviceLimits& limits) {
  if (limits.capability != 90) return "wgmma, which compute capability 9.0 alone has";
  if (p.compute == DType::kFloat32) return "FP32";
  if (p.groups > 1) return "groups";
  if (!IsCopyable(p) || p.input.Alignment() < 16) return "an input that is not aligned to 16 bytes";
  if (t.bm % 64 != 0 || t.bm < 64 || t.bm > 256) return "tiles of 64, 128, 192 or 256 rows";
  const bool has_instruction = t.bn >= 16 && t.bn <= 256 && t.bn % 16 == 0;
  if (!has_instruction) return "tiles of 16 to 256 columns, in whole 16s";
  if (t.consumers < 1 || t.consumers > 3 || t.residents < 1 || t.residents > 2)
    return "1 to 3 warpgroups, 1 or 2 blocks";
  if (t.stages < 2 || t.stages > 8 || t.weight_stages < 0 || t.weight_stages == 1 || t.weight_stages > 16 || t.grid < 1)
    return "2 to 8 stages, 2 to 16 of weights";
  if (std::string why = WhyTooManySums(t); !why.empty()) return why;
  const ConvLine line = ConvLine::Of(p);
  if (line.positions > INT32_MAX / 2) return "more than 2^30 positions";
  if (t.weight_stages == 0 && line.slabs() > 512) return "more weights than stay in shared memory";
  if (t.weight_stages > line.slabs()) return "more stages of weights than weights";
  return (SharedBytes(p, t) + 1024) * t.residents > limits.shared_bytes_per_multiprocessor ? "more blocks than fit"
                                                                                           : "";
}

std::string WhyImageUnfit(const ConvProblem& p, const ConvTactic& t) {
  if (p.compute != DType::kFloat16 && p.compute != DType::kBFloat16) return "neither FP16 nor BF16";
  if (p.groups > 1 || p.ic > 4) return "more than four channels";
  if (p.stride_w % 2 != 0) return "an odd stride";
  if (p.dilation_w != 1) return "dilated rows";
  if (t.bn % 16 != 0 || t.bn < 16) return "tiles of columns that are no whole 16s";
  if (t.tile_h < 1 || t.tile_w < 16 || t.tile_w % 16 != 0) return "tiles of whole 16 pixels";
  const int registers = p.kh * CeilDiv(p.kw, 4) * t.bn / 4;
  return registers > 64 ? "more weights than registers" : "";
}

std::string WhyDepthwiseUnfit(const ConvProblem& p, const ConvTactic& t) {
  if (!p.is_depthwise()) return "not depthwise";
  if (p.oc % 8 != 0) return "channels that are no multiple of 8";
  if (p.input.c_stride != SizeOf(p.input.dtype) || p.input.Alignment() < std::min<int64_t>(16, 8 * p.input.c_stride))
    return "an input that is not aligned";
  return t.pixels < 1 || t.pixels > 8 ? "1 to 8 pixels" : "";
}

}  // namespace

int ConvTactic::threads() const {
  switch (kernel) {
    case ConvKernel::kGemm:
    case ConvKernel::kPatch:
      return warps_m * warps_n * split_k * 32;
    case ConvKernel::kWgmma:
      return 128 * (1 + consumers);
    case ConvKernel::kImage:
    case ConvKernel::kDepthwise:
      return 128;
  }
  return 0;
}

std::string ConvTactic::ToString() const {
  if (kernel == ConvKernel::kWgmma)
    return fmt::format("wgmma {}x{} c{} s{} w{} g{}x{}", bm, bn, consumers, stages, weight_stages, grid, residents);
  if (kernel == ConvKernel::kImage) return fmt::format("image t{}x{} n{}", tile_h, tile_w, bn);
  if (kernel == ConvKernel::kDepthwise) return fmt::format("depthwise p{}", pixels);
  const std::string warps = fmt::format("w{}x{}x{}", warps_m, warps_n, split_k);
  if (kernel == ConvKernel::kPatch) return fmt::format("patch {}x{} t{}x{} {}", bm, bn, tile_h, tile_w, warps);
  return fmt::format("gemm {}x{}x{} {} s{}", bm, bn, bk, warps, stages);
}

ConvTactic ConvTactic::Parse(std::string_view text) {
  const std::string line(text);
  ConvTactic gemm{.kernel = ConvKernel::kGemm}, patch{.kernel = ConvKernel::kPatch},
      wgmma{.kernel = ConvKernel::kWgmma}, image{.kernel = ConvKernel::kImage},
      depthwise{.kernel = ConvKernel::kDepthwise};
  std::sscanf(line.c_str(), "gemm %dx%dx%d w%dx%dx%d s%d", &gemm.bm, &gemm.bn, &gemm.bk, &gemm.warps_m, &gemm.warps_n,
              &gemm.split_k, &gemm.stages);
  std::sscanf(line.c_str(), "patch %dx%d t%dx%d w%dx%dx%d", &patch.bm, &patch.bn, &patch.tile_h, &patch.tile_w,
              &patch.warps_m, &patch.warps_n, &patch.split_k);
  std::sscanf(line.c_str(), "depthwise p%d", &depthwise.pixels);
  std::sscanf(line.c_str(), "wgmma %dx%d c%d s%d w%d g%dx%d", &wgmma.bm, &wgmma.bn, &wgmma.consumers, &wgmma.stages,
              &wgmma.weight_stages, &wgmma.grid, &wgmma.residents);
  std::sscanf(line.c_str(), "image t%dx%d n%d", &image.tile_h, &image.tile_w, &image.bn);
  for (const ConvTactic& tactic : {gemm, patch, wgmma, image, depthwise})
    if (tactic.ToString() == line) return tactic;
  ThrowInvalid({.what = "not a tactic of the CUDA convolutions", .got = "'" + line + "'"});
}

LaunchShape LaunchShapeOf(const ConvProblem& p, const ConvTactic& t) {
  const int tiles_n = CeilDiv(p.group_oc(), t.bn);
  LaunchShape shape{.grid_y = p.groups, .threads = t.threads(), .shared_bytes = static_cast<int>(SharedBytes(p, t))};
  switch (t.kernel) {
    case ConvKernel::kGemm:
      shape.grid_x = CeilDiv(p.rows(), t.bm) * tiles_n;
      break;
    case ConvKernel::kPatch:
      shape.grid_x = CeilDiv(p.oh, t.tile_h) * CeilDiv(p.ow, t.tile_w) * p.n * tiles_n;
      break;
    case ConvKernel::kWgmma: {
      const int tiles_m = CeilDiv(ConvLine::Of(p).positions, t.bm);
      shape.grid_x = std::clamp(t.grid / tiles_n, 1, tiles_m) * tiles_n;
      break;
    }
    case ConvKernel::kImage:
      shape.grid_x = CeilDiv(p.oh, t.tile_h) * CeilDiv(p.ow, t.tile_w) * p.n * tiles_n;
      break;
    case ConvKernel::kDepthwise:
      shape.grid_x = CeilDiv(int64_t{p.n} * p.oh * CeilDiv(p.ow, t.pixels) * (p.oc / 8), t.threads());
      shape.grid_y = 1;
      break;
  }
  return shape;
}

std::string WhyUnfit(const ConvProblem& p, const ConvTactic& t, const DeviceLimits& limits) {
  std::string why;
  switch (t.kernel) {
    case ConvKernel::kGemm:
      why = WhyWarpsUnfit(p, t);
      if (why.empty()) why = WhyGemmUnfit(p, t);
      break;
    case ConvKernel::kPatch:
      why = WhyWarpsUnfit(p, t);
      if (why.empty()) why = WhyPatchUnfit(p, t);
      break;
    case ConvKernel::kWgmma:
      why = WhyWgmmaUnfit(p, t, limits);
      break;
    case ConvKernel::kImage:
      why = WhyImageUnfit(p, t);
      break;
    case ConvKernel::kDepthwise:
      return WhyDepthwiseUnfit(p, t);
  }
  if (!why.empty()) return why;
  const int64_t shared = SharedBytes(p, t);
  if (shared > limits.shared_bytes_per_block)
    return fmt::format("{} bytes of shared memory, of {}", shared, limits.shared_bytes_per_block);
  return {};
}

}  // namespace tenon::cuda
