#include "backends/cuda/conv_source.h"

#include <fmt/format.h>

#include <bit>

#include "backends/cuda/conv_layout.h"
#include "backends/cuda/type_names.h"

namespace tenon::cuda {
namespace {

std::string ViewMembers(const View& view) {
  return fmt::format(
      "  static constexpr Type kType = {};\n  static constexpr int64 kImage = {}, kRow = {}, kPixel = {}, kChannel = "
      "{};\n",
      TypeName(view.dtype), view.n_stride, view.h_stride, view.w_stride, view.c_stride);
}

/// Enough digits to come back as the same float.
std::string FloatText(float value) {
  return fmt::format("__builtin_bit_cast(float, {}u)", std::bit_cast<uint32_t>(value));
}

int64_t SpanOf(const View& view, int64_t n, int64_t h, int64_t w, int64_t c) {
  return n * view.n_stride + h * view.h_stride + w * view.w_stride + c * view.c_stride;
}

/// Whether offsets within all views fit in 32 bits, pads included.
bool HasSmallOffsets(const ConvProblem& p) {
  const int64_t reach_h = p.ih + int64_t{p.kh} * p.dilation_h + p.pad_top;
  const int64_t reach_w = p.iw + int64_t{p.kw} * p.dilation_w + p.pad_left;
  bool small = SpanOf(p.input, p.n, reach_h, reach_w, p.ic) < INT32_MAX;
  small = small && (!p.residual || SpanOf(*p.residual, p.n, p.oh, p.ow, p.oc) < INT32_MAX);
  for (const StoreTarget& t : p.targets)
    small = small && SpanOf(t.view, p.n, int64_t{p.oh} * t.scale, int64_t{p.ow} * t.scale, p.oc) < INT32_MAX;
  return small;
}

std::string Geometry(const ConvProblem& p) {
  std::string text = fmt::format(
      "constexpr int kN = {}, kIC = {}, kIH = {}, kIW = {}, kOC = {}, kOH = {}, kOW = {}, kKH = {}, kKW = {};\n", p.n,
      p.ic, p.ih, p.iw, p.oc, p.oh, p.ow, p.kh, p.kw);
  text += fmt::format(
      "constexpr int kStrideH = {}, kStrideW = {}, kDilationH = {}, kDilationW = {}, kPadTop = {}, kPadLeft = {}, "
      "kGroups = {};\n",
      p.stride_h, p.stride_w, p.dilation_h, p.dilation_w, p.pad_top, p.pad_left, p.groups);
  text += fmt::format("constexpr Type kCompute = {};\nusing Offset = {};\n", TypeName(p.is_int8() ? DType::kUInt8 : p.compute),
                      HasSmallOffsets(p) ? "int" : "int64");
  return text;
}

std::string Views(const ConvProblem& p) {
  std::string text = "struct Input {\n" + ViewMembers(p.input) + "};\n";
  text += fmt::format("constexpr bool kHasResidual = {};\nstruct Residual {{\n{}}};\n", p.residual.has_value(),
                      ViewMembers(p.residual ? *p.residual : p.targets[0].view));
  text += fmt::format("constexpr int kTargets = {};\ntemplate <int kIndex>\nstruct Target;\n", p.targets.size());
  for (size_t i = 0; i < p.targets.size(); ++i)
    text += fmt::format("template <>\nstruct Target<{}> {{\n{}  static constexpr int kScale = {};\n}};\n", i,
                        ViewMembers(p.targets[i].view), p.targets[i].scale);
  return text;
}

std::string EpilogueConstants(const ConvProblem& p) {
  std::string text = fmt::format(
      "constexpr Activation kActivation = Activation({}), kPost = Activation({});\n"
      "constexpr float kAlpha = {}, kBeta = {};\n",
      static_cast<int>(p.activation.kind), static_cast<int>(p.post), FloatText(p.activation.alpha),
      FloatText(p.activation.beta));
  const Quantization& q = p.quantization;
  text += fmt::format(
      "constexpr int kInputZero = {};\nconstexpr float kResidualScale = {}, kResidualZero = {}, kOutInverse = {}, "
      "kOutZero = {};\n",
      q.x.zero_point, FloatText(q.residual.scale), FloatText(static_cast<float>(q.residual.zero_point)),
      FloatText(1.0f / q.y.scale), FloatText(static_cast<float>(q.y.zero_point)));
  return text;
}

std::string LayoutConstants(const ConvProblem& p, const ConvTactic& t) {
  const ConvLayout layout = ConvLayout::Of(p, t.kernel);
  const int channels = t.kernel == ConvKernel::kDepthwise ? p.oc : p.group_oc();
  return fmt::format(
      "constexpr int kTapBytes = {}, kInputAlign = {};\nconstexpr int64 kBiasOffset = {};\n"
      "constexpr bool kGather = {}, kWholeEights = {};\n",
      layout.tap_bytes, p.input.Alignment(), layout.bias_offset, layout.is_gathered, HasWholeEights(p, channels));
}

std::string TacticConstants(const ConvTactic& t) {
  if (t.kernel == ConvKernel::kDepthwise)
    return fmt::format("constexpr int kPixels = {}, kThreads = {};\n", t.pixels, t.threads());
  std::string text = fmt::format("constexpr int kBM = {}, kBN = {}, kWM = {}, kWN = {}, kWK = {};\n", t.bm, t.bn,
                                 t.warps_m, t.warps_n, t.split_k);
  if (t.kernel == ConvKernel::kPatch)
    return text + fmt::format("constexpr int kTileH = {}, kTileW = {};\n", t.tile_h, t.tile_w);
  return text + fmt::format("constexpr int kBK = {}, kStages = {};\n", t.bk, t.stages);
}

std::string_view EntryOf(ConvKernel kernel) {
  switch (kernel) {
    case ConvKernel::kGemm:
      return "conv_gemm";
    case ConvKernel::kPatch:
      return "conv_patch";
    case ConvKernel::kDepthwise:
      return "conv_depthwise";
  }
  return {};
}

}  // namespace

KernelSource MakeConvSource(const ConvProblem& p, const ConvTactic& t) {
  const std::string entry(EntryOf(t.kernel));
  std::string text = "#include \"activation.cuh\"\n#include \"elements.cuh\"\nnamespace problem {\n";
  text += Geometry(p) + Views(p) + EpilogueConstants(p) + LayoutConstants(p, t);
  text += "}  // namespace problem\nnamespace tactic {\n" + TacticConstants(t) + "}  // namespace tactic\n";
  text += fmt::format("#include \"{}.cu\"\n", entry);
  return {.entry = entry, .text = std::move(text)};
}

}  // namespace tenon::cuda
