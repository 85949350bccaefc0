#include "backends/cuda/conv_source.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <bit>

#include "backends/cuda/conv_layout.h"
#include "backends/cuda/conv_line.h"
#include "backends/cuda/type_names.h"
#include "base/error.h"

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

/// "constexpr int NAME[] = {...};" of a member of each item.
template <class Item, class Member>
std::string ArrayText(std::string_view name, const std::vector<Item>& items, Member member) {
  std::vector<int> values;
  for (const Item& item : items) values.push_back(member(item));
  return fmt::format("constexpr int {}[] = {{{}}};\n", name, fmt::join(values, ", "));
}

/// conv_line.h as the kernel reads it.
std::string LineConstants(const ConvProblem& p, const ConvTactic& t) {
  using Phase = ConvLine::Phase;
  const ConvLine line = ConvLine::Of(p);
  std::string text = fmt::format(
      "constexpr int kPitchW = {}, kPitchH = {}, kPositions = {}, kPieces = {}, kSteps = {}, kPackedOC = {}, kPhases = "
      "{}, kPatchPixels = {}, kPlaneBytes = {};\n",
      line.pitch_w, line.pitch_h, line.positions, line.pieces, line.steps, line.packed_oc, line.phases.size(),
      line.PatchPixels(t.bm), line.PatchPixels(t.bm) * 16);
  std::vector<int> firsts;
  for (int first = 0; const Phase& phase : line.phases)
    firsts.push_back(first), first += ConvLine::PatchPixels(phase, t.bm);
  text += ArrayText("kPhaseY", line.phases, [](const Phase& phase) { return phase.y; });
  text += ArrayText("kPhaseX", line.phases, [](const Phase& phase) { return phase.x; });
  text += ArrayText("kPhaseFirst", firsts, [](int first) { return first; });
  text += ArrayText("kPhaseCount", line.phases, [&](const Phase& phase) { return ConvLine::PatchPixels(phase, t.bm); });
  text += ArrayText("kTapPlace", line.taps,
                    [&](const ConvLine::Tap& tap) { return firsts[static_cast<size_t>(tap.phase)] + tap.shift; });
  return text;
}

/// ptx::MultiplyAsync: sums[64][bn] of a warpgroup (+)= a[64] * b[bn] over a step of K, operands in shared memory. The
/// instruction names each of its registers, so its text depends on their number.
std::string MultiplyAsyncText(const ConvProblem& p, const ConvTactic& t) {
  const int sums = t.bn / 2;
  std::vector<std::string> names, operands;
  for (int i = 0; i < sums; ++i) {
    names.push_back(fmt::format("%{}", i));
    operands.push_back(fmt::format("\"+{}\"(d[{}])", p.is_int8() ? 'r' : 'f', i));
  }
  const std::string_view element = p.compute == DType::kBFloat16 ? "bf16" : "f16";
  const std::string types = p.is_int8() ? "k32.s32.u8.s8" : fmt::format("k16.f32.{0}.{0}", element);
  return fmt::format(
      "namespace ptx {{\nDEVICE void MultiplyAsync({} (&d)[{}], uint64 a, uint64 b, int accumulate) {{\n"
      "  asm volatile(\"{{.reg .pred p; setp.ne.b32 p, %{}, 0; wgmma.mma_async.sync.aligned.m64n{}{} {{{}}}, %{}, %{}, "
      "p{};}}\"\n      : {}\n      : \"l\"(a), \"l\"(b), \"r\"(accumulate));\n}}\n}}  // namespace ptx\n",
      p.is_int8() ? "int" : "float", sums, sums + 2, t.bn, types, fmt::join(names, ", "), sums, sums + 1,
      p.is_int8() ? "" : ", 1, 1, 0, 0", fmt::join(operands, ", "));
}

std::string WgmmaConstants(const ConvProblem& p, const ConvTactic& t) {
  return fmt::format(
             "constexpr int kBM = {}, kBN = {}, kStages = {}, kWeightStages = {}, kConsumers = {}, kResidents = {};\n",
             t.bm, t.bn, t.stages, t.weight_stages, t.consumers, t.residents) +
         LineConstants(p, t);
}

std::string TacticConstants(const ConvProblem& p, const ConvTactic& t) {
  if (t.kernel == ConvKernel::kDepthwise)
    return fmt::format("constexpr int kPixels = {}, kThreads = {};\n", t.pixels, t.threads());
  if (t.kernel == ConvKernel::kWgmma) return WgmmaConstants(p, t);
  if (t.kernel == ConvKernel::kImage)
    return fmt::format("constexpr int kBN = {}, kTileH = {}, kTileW = {};\n", t.bn, t.tile_h, t.tile_w);
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
    case ConvKernel::kWgmma:
      return "conv_wgmma";
    case ConvKernel::kImage:
      return "conv_image";
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
  text += "}  // namespace problem\nnamespace tactic {\n" + TacticConstants(p, t) + "}  // namespace tactic\n";
  if (t.kernel == ConvKernel::kWgmma) text += MultiplyAsyncText(p, t);
  text += fmt::format("#include \"{}.cu\"\n", entry);
  return {.entry = entry, .text = std::move(text)};
}

}  // namespace tenon::cuda
