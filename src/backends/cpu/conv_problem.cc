#include "backends/cpu/conv_problem.h"

#include <algorithm>
#include <cmath>

namespace tenon::cpu {
namespace {

bool IsHalfOrFloat(DType dtype) { return dtype == DType::kFloat32 || dtype == DType::kBFloat16; }

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

StoreTarget TargetOf(const View& view, int scale) {
  StoreTarget target{.dtype = view.dtype, .pixel_bytes = view.w_stride * scale, .offsets = {}};
  for (int y = 0; y < scale; ++y) {
    for (int x = 0; x < scale; ++x) target.offsets.push_back(y * view.h_stride + x * view.w_stride);
  }
  return target;
}

bool UsesBFloat16(const ConvProblem& p) {
  bool uses = p.input.dtype == DType::kBFloat16 || p.output.dtype == DType::kBFloat16;
  if (p.epilogue.residual) uses |= p.epilogue.residual->dtype == DType::kBFloat16;
  for (const ExtraStore& extra : p.epilogue.extra_stores) uses |= extra.view.dtype == DType::kBFloat16;
  return uses;
}

/// Channels next to each other; a single channel has no neighbour.
bool IsDense(const View& view, int channels) { return channels == 1 || view.c_stride == SizeOf(view.dtype); }

bool IsStorable(const ConvProblem& problem, const View& view) {
  return (IsHalfOrFloat(view.dtype) || view.dtype == DType::kUInt8) && IsDense(view, problem.oc);
}

bool IsAddable(const ConvProblem& problem, const View& view) {
  return (view.dtype != DType::kUInt8 || problem.is_int8()) && IsStorable(problem, view);
}

bool IsValid(const AffineScale& scale) {
  return std::isfinite(scale.scale) && std::isfinite(1.0f / scale.scale) && scale.scale > 0 && scale.zero_point >= 0 &&
         scale.zero_point <= 255;
}

std::string WhyInputUnsupported(const ConvProblem& p) {
  const Quantization& q = p.quantization;
  if (!IsValid(q.y)) return "a scale or zero point";
  if (!p.is_int8()) return IsHalfOrFloat(p.input.dtype) && IsHalfOrFloat(p.compute) ? "" : "input or compute type";
  if (p.input.dtype != DType::kUInt8) return "an INT8 convolution of other than u8";
  if (!IsDense(p.input, p.ic)) return "input channels that are not next to each other";
  if (double(p.group_ic()) * p.kh * p.kw * 255 * 128 >= INT32_MAX) return "sums beyond INT32";
  if (!IsValid(q.x) || !IsValid(q.residual)) return "a scale or zero point";
  return "";
}

}  // namespace

int64_t ConvProblem::WeightCount() const { return ElemCount({oc, group_ic(), kh, kw}); }

double ConvProblem::Flops() const { return 2.0 * n * oc * oh * ow * group_ic() * kh * kw; }

KernelRange ValidKernelRange(int64_t start, int kernel, int dilation, int size) {
  KernelRange range;
  range.begin = static_cast<int>(start >= 0 ? 0 : std::min<int64_t>(kernel, CeilDiv(-start, dilation)));
  range.end = static_cast<int>(start >= size ? 0 : std::min<int64_t>(kernel, CeilDiv(size - start, dilation)));
  range.end = std::max(range.begin, range.end);
  return range;
}

std::string WhyUnsupported(const ConvProblem& p, const CpuFeatures& features) {
  if (!features.avx2_fma) return "the CPU lacks AVX2 or FMA";
  if (UsesBFloat16(p) && !features.avx512_bf16) return "the CPU lacks AVX512_BF16";
  for (const int size :
       {p.n, p.ic, p.ih, p.iw, p.oc, p.oh, p.ow, p.stride_h, p.stride_w, p.dilation_h, p.dilation_w, p.groups}) {
    if (size < 1) return "a size, stride or dilation below 1";
  }
  if (p.kh < 0 || p.kw < 0) return "a negative kernel size";
  if (p.ic % p.groups != 0 || p.oc % p.groups != 0) return "channels not divisible by groups";
  if (std::string why_not = WhyInputUnsupported(p); !why_not.empty()) return why_not;
  if (!IsStorable(p, p.output)) return "output type or channel stride";
  if (p.epilogue.residual && !IsAddable(p, *p.epilogue.residual)) return "residual type or channel stride";
  if (p.epilogue.extra_stores.size() + 1 > kMaxStoreTargets) return "too many outputs";
  if (p.epilogue.has_factors && p.output.dtype != DType::kUInt8) return "factors of an output that isn't u8";
  for (const ExtraStore& extra : p.epilogue.extra_stores) {
    if (!IsStorable(p, extra.view) || extra.scale < 1) return "type, channel stride or scale of a further output";
  }
  return "";
}

std::optional<WordSilu> WordSiluOf(const ConvProblem& problem) {
  const ConvEpilogue& epilogue = problem.epilogue;
  const bool is_all = problem.is_int8() && epilogue.activation.kind == Activation::kSilu && !epilogue.residual &&
                      !epilogue.has_factors && epilogue.post_activation.kind == Activation::kNone &&
                      problem.output.dtype == DType::kUInt8 &&
                      std::all_of(epilogue.extra_stores.begin(), epilogue.extra_stores.end(),
                                  [](const ExtraStore& extra) { return extra.view.dtype == DType::kUInt8; });
  return is_all ? WordSilu::For(problem.quantization.y) : std::nullopt;
}

float SumScale(const ConvProblem& problem) {
  const auto silu = WordSiluOf(problem);
  return silu ? silu->input_scale() : 1.0f;
}

TileEpilogue MakeTileEpilogue(const ConvProblem& problem) {
  const ConvEpilogue& epilogue = problem.epilogue;
  TileEpilogue tile;
  tile.activation = epilogue.activation;
  tile.post_activation = epilogue.post_activation;
  tile.stored = problem.quantization.y;
  tile.word_silu = WordSiluOf(problem);
  tile.has_factors = epilogue.has_factors;
  if (epilogue.residual)
    tile.residual = {epilogue.residual->dtype, epilogue.residual->w_stride, problem.quantization.residual};
  tile.targets.push_back(TargetOf(problem.output, 1));
  for (const ExtraStore& extra : epilogue.extra_stores) tile.targets.push_back(TargetOf(extra.view, extra.scale));
  return tile;
}

void SetOutputs(const ConvProblem& problem, const ConvArgs& args, int64_t n, int64_t oc, int64_t y, int64_t x,
                TileArgs& tile) {
  const ConvEpilogue& epilogue = problem.epilogue;
  if (epilogue.residual) tile.residual = args.residual + epilogue.residual->OffsetOf(n, oc, y, x);
  tile.targets[0] = args.outputs[0] + problem.output.OffsetOf(n, oc, y, x);
  for (size_t i = 0; i < epilogue.extra_stores.size(); ++i) {
    const auto& [view, scale] = epilogue.extra_stores[i];
    tile.targets[i + 1] = args.outputs[i + 1] + view.OffsetOf(n, oc, y * scale, x * scale);
  }
}

}  // namespace tenon::cpu
