#include "backends/cuda/conv_problem.h"

#include <algorithm>
#include <bit>

namespace tenon::cuda {
namespace {

DType StoredType(const ConvProblem& p) { return p.is_int8() ? DType::kUInt8 : p.compute; }

bool IsDense(const View& view, int64_t h, int64_t w) {
  return view.h_stride == view.w_stride * w && view.n_stride == view.h_stride * h;
}

bool IsElementType(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kFloat16 || dtype == DType::kBFloat16 || dtype == DType::kUInt8;
}

std::string WhyTargetsUnsupported(const ConvProblem& p) {
  if (p.targets.empty() || p.targets.size() > kMaxStoreTargets) return "1 to 4 places to store to";
  for (const StoreTarget& target : p.targets) {
    if (target.scale != 1 && target.scale != 2) return "an upsample other than by 2";
    if (target.view.dtype != p.targets[0].view.dtype || !IsElementType(target.view.dtype))
      return "an output type without a kernel";
    if (target.view.c_stride != SizeOf(target.view.dtype)) return "output channels that are not next to each other";
  }
  if (p.residual && !IsElementType(p.residual->dtype)) return "a residual type without a kernel";
  if (p.residual && p.residual->c_stride != SizeOf(p.residual->dtype))
    return "residual channels that are not next to each other";
  return {};
}

}  // namespace

int View::Alignment() const {
  const auto bits = static_cast<uint64_t>(n_stride) | static_cast<uint64_t>(h_stride) |
                    static_cast<uint64_t>(w_stride) | static_cast<uint64_t>(base_alignment) | 16u;
  return 1 << std::countr_zero(bits);
}

std::string WhyUnsupported(const ConvProblem& p, int capability) {
  if (capability < 75) return "compute capability below 7.5";
  const bool is_known =
      p.is_int8() || p.compute == DType::kFloat32 || p.compute == DType::kFloat16 || p.compute == DType::kBFloat16;
  if (!is_known) return "a precision without a kernel";
  const bool has_bfloat16 = p.compute == DType::kBFloat16 || p.input.dtype == DType::kBFloat16 ||
                            (!p.targets.empty() && p.targets[0].view.dtype == DType::kBFloat16);
  if (has_bfloat16 && capability < 80) return "BF16 needs compute capability 8.0";
  if (p.is_int8() ? p.input.dtype != DType::kUInt8 : !IsElementType(p.input.dtype) || p.input.dtype == DType::kUInt8)
    return "an input type without a kernel";
  if (p.taps() > 64 && !p.is_depthwise()) return "a window of more than 64 taps";
  if (p.rows() > INT32_MAX / 2) return "more than 2^30 output pixels";
  return WhyTargetsUnsupported(p);
}

ConvProblem Flatten(const ConvProblem& p) {
  const bool is_pointwise = p.taps() == 1 && p.stride_h == 1 && p.stride_w == 1 && p.pad_top == 0 && p.pad_left == 0 &&
                            p.ih == p.oh && p.iw == p.ow;
  bool is_dense = is_pointwise && IsDense(p.input, p.ih, p.iw) && (!p.residual || IsDense(*p.residual, p.oh, p.ow));
  for (const StoreTarget& target : p.targets)
    is_dense = is_dense && target.scale == 1 && IsDense(target.view, p.oh, p.ow);
  if (!is_dense) return p;
  ConvProblem flat = p;
  flat.n = flat.ih = flat.oh = 1;
  flat.iw = flat.ow = static_cast<int>(p.rows());
  const auto flatten = [&](View& view) { view.n_stride = view.h_stride = view.w_stride * flat.ow; };
  flatten(flat.input);
  if (flat.residual) flatten(*flat.residual);
  for (StoreTarget& target : flat.targets) flatten(target.view);
  return flat;
}

bool IsCopyable(const ConvProblem& p) {
  const int group_bytes = p.group_ic() * p.element_bytes();
  const bool groups_fit = p.groups == 1 || group_bytes % std::min(p.input.Alignment(), 16) == 0;
  // Few channels would be mostly padding: gathering packs their taps.
  return p.input.dtype == StoredType(p) && p.input.c_stride == p.element_bytes() && p.input.Alignment() >= 4 &&
         groups_fit && group_bytes >= 8;
}

bool HasWholeEights(const ConvProblem& p, int channels) {
  const auto is_aligned = [](const View& view) {
    return view.Alignment() >= std::min<int64_t>(16, 8 * SizeOf(view.dtype));
  };
  bool whole = channels % 8 == 0 && (!p.residual || is_aligned(*p.residual));
  for (const StoreTarget& target : p.targets) whole = whole && is_aligned(target.view);
  return whole;
}

}  // namespace tenon::cuda
