#include "backends/cuda/conv_transpose_family.h"

#include <algorithm>

#include "backends/conv_phases.h"
#include "backends/cuda/conv_family.h"
#include "backends/cuda/conv_layout.h"
#include "backends/cuda/conv_source.h"
#include "backends/cuda/epilogue_lowering.h"
#include "backends/operands.h"
#include "base/error.h"
#include "ops/conv.h"

namespace tenon::cuda {
namespace {

constexpr int64_t kPackedAlignment = 256;
/// Phases are launches: more of them are left to others.
constexpr int kMostPhases = 64;

/// The outputs that are y modulo stride_h and x modulo stride_w, as an ordinary convolution.
struct Phase {
  AxisPhase rows, columns;
  ConvProblem problem;
  int64_t output_offset = 0, residual_offset = 0;  ///< bytes
};

/// The view of every `step`-th row and column; `offset` bytes are where it begins.
View EveryNth(View view, int step_h, int step_w, int64_t offset) {
  view.h_stride *= step_h;
  view.w_stride *= step_w;
  const int64_t alignment = AlignmentAt(offset);
  view.base_alignment = static_cast<int>(std::min<int64_t>(view.base_alignment, alignment));
  return view;
}

Phase MakePhase(const StepProblem& step, const WindowGeometry& g, const ConvProblem& whole, int y, int x) {
  Phase phase{.rows = PhaseOf(y, g.oh, g.kh, g.stride_h, g.dilation_h, g.pad_top),
              .columns = PhaseOf(x, g.ow, g.kw, g.stride_w, g.dilation_w, g.pad_left),
              .problem = whole};
  ConvProblem& p = phase.problem;
  p.oh = phase.rows.outputs;
  p.ow = phase.columns.outputs;
  p.kh = phase.rows.taps;
  p.kw = phase.columns.taps;
  p.stride_h = p.stride_w = 1;
  p.dilation_h = phase.rows.dilation;
  p.dilation_w = phase.columns.dilation;
  p.pad_top = phase.rows.pad;
  p.pad_left = phase.columns.pad;
  const View out = ImageView(step.outputs[0]);
  phase.output_offset = y * out.h_stride + x * out.w_stride;
  p.targets = {{EveryNth(out, g.stride_h, g.stride_w, phase.output_offset), 1}};
  if (const KernelOperand& residual = OperandAt(step, kResidualOperand); residual.present) {
    const View view = ImageView(residual);
    phase.residual_offset = y * view.h_stride + x * view.w_stride;
    p.residual = EveryNth(view, g.stride_h, g.stride_w, phase.residual_offset);
  }
  p = Flatten(p);
  return phase;
}

std::string LowerPhases(const StepProblem& step, const CudaDevice& device, std::vector<Phase>& phases) {
  const auto* op = dynamic_cast<const ConvTranspose*>(step.op);
  if (op == nullptr) return "not a ConvTranspose";
  WindowGeometry g;
  if (std::string why_not = LowerConvWindow(step, g); !why_not.empty()) return why_not;
  if (!step.outputs[0].present) return "an output that is left out";
  if (int64_t{g.stride_h} * g.stride_w > kMostPhases) return "too many phases";
  ConvProblem whole{.n = g.n,
                    .ic = g.ic,
                    .ih = g.ih,
                    .iw = g.iw,
                    .oc = g.oc,
                    .groups = static_cast<int>(op->groups),
                    .input = ImageView(OperandAt(step, kInputOperand))};
  if (std::string why_not = LowerEpilogue(step, op->epilogue, whole); !why_not.empty()) return why_not;
  phases.clear();
  for (int y = 0; y < g.stride_h; ++y) {
    for (int x = 0; x < g.stride_w; ++x) {
      Phase phase = MakePhase(step, g, whole, y, x);
      const bool has_outputs = phase.problem.rows() > 0;
      if (phase.rows.taps == 0 || phase.columns.taps == 0) {
        if (has_outputs) return "outputs that see no input";
        continue;
      }
      if (std::string why_not = WhyUnsupported(phase.problem, device.limits.capability); !why_not.empty())
        return why_not;
      phases.push_back(std::move(phase));  // one without outputs too: its weights are kept
    }
  }
  return phases.empty() ? "an empty output" : "";
}

std::vector<Phase> Lowered(const StepProblem& step, const CudaDevice& device) {
  std::vector<Phase> phases;
  const std::string why_not = LowerPhases(step, device, phases);
  TENON_CHECK(why_not.empty(), "{}", why_not);
  return phases;
}

std::vector<ConvTactic> TacticsOfAll(const std::vector<Phase>& phases, const DeviceLimits& limits) {
  const auto largest = std::max_element(phases.begin(), phases.end(), [](const Phase& a, const Phase& b) {
    return a.problem.Flops() < b.problem.Flops();
  });
  std::vector<ConvTactic> tactics;
  for (const ConvTactic& tactic : ConvCandidates(largest->problem, limits)) {
    const bool fits_all = std::all_of(phases.begin(), phases.end(), [&](const Phase& phase) {
      return WhyUnfit(phase.problem, tactic, limits).empty();
    });
    if (fits_all) tactics.push_back(tactic);
  }
  return tactics;
}

int64_t PackedBytesOf(const Phase& phase, const ConvTactic& tactic) {
  const int64_t bytes = ConvLayout::Of(phase.problem, tactic.kernel).total_bytes;
  return (bytes + kPackedAlignment - 1) / kPackedAlignment * kPackedAlignment;
}

/// Calls visit(index in [OC, IC/groups, taps, taps] of the phase, index in [IC, OC/groups, KH, KW] of the operand).
template <class Visit>
void ForEachWeight(const Phase& phase, const Shape& operand, const Visit& visit) {
  const ConvProblem& p = phase.problem;
  const int ic = p.group_ic(), oc = p.group_oc();
  const int64_t kh = operand.size() == 4 ? operand[2] : 1, kw = operand.back();
  size_t index = 0;
  for (int o = 0; o < p.oc; ++o) {
    for (int c = 0; c < ic; ++c) {
      for (int y = 0; y < p.kh; ++y) {
        for (int x = 0; x < p.kw; ++x) {
          const int at_y = phase.rows.first_tap + (phase.rows.taps - 1 - y) * phase.rows.tap_step;
          const int at_x = phase.columns.first_tap + (phase.columns.taps - 1 - x) * phase.columns.tap_step;
          visit(index++, static_cast<size_t>(((int64_t{o / oc * ic + c} * oc + o % oc) * kh + at_y) * kw + at_x));
        }
      }
    }
  }
}

}  // namespace

std::string ConvTransposeFamily::Supports(const StepProblem& step, const CudaDevice& device) const {
  std::vector<Phase> phases;
  const std::string why_not = LowerPhases(step, device, phases);
  if (!why_not.empty()) return why_not;
  return TacticsOfAll(phases, device.limits).empty() ? "no tile fits this GPU" : "";
}

std::vector<std::string> ConvTransposeFamily::Candidates(const StepProblem& step, const CudaDevice& device) const {
  std::vector<std::string> texts;
  for (const ConvTactic& tactic : TacticsOfAll(Lowered(step, device), device.limits))
    texts.push_back(tactic.ToString());
  return texts;
}

bool ConvTransposeFamily::PacksInput(const StepProblem& step, size_t input) const {
  return (input == kWeightsOperand || input == kBiasOperand) && OperandAt(step, input).is_constant;
}

std::vector<std::byte> ConvTransposeFamily::Pack(const StepProblem& step, const std::string& tactic,
                                                 const CudaDevice& device) const {
  const std::vector<float> weights = ConstantFloats(step, kWeightsOperand), bias = ConstantFloats(step, kBiasOperand);
  const ConvTactic parsed = ConvTactic::Parse(tactic);
  std::vector<std::byte> packed;
  for (const Phase& phase : Lowered(step, device)) {
    const ConvProblem& p = phase.problem;
    std::vector<float> part(static_cast<size_t>(p.oc) * static_cast<size_t>(p.group_ic() * p.taps()));
    ForEachWeight(phase, step.inputs[kWeightsOperand].shape, [&](size_t to, size_t from) { part[to] = weights[from]; });
    std::vector<std::byte> bytes = PackConv(p, parsed, {part, bias, {}});
    bytes.resize(static_cast<size_t>(PackedBytesOf(phase, parsed)));
    packed.insert(packed.end(), bytes.begin(), bytes.end());
  }
  return packed;
}

size_t ConvTransposeFamily::PackedBytes(const StepProblem& step, const std::string& tactic,
                                        const CudaDevice& device) const {
  int64_t bytes = 0;
  for (const Phase& phase : Lowered(step, device)) bytes += PackedBytesOf(phase, ConvTactic::Parse(tactic));
  return static_cast<size_t>(bytes);
}

Tensor ConvTransposeFamily::Unpack(const StepProblem& step, const std::string& tactic, const CudaDevice& device,
                                   std::span<const std::byte> packed, size_t input) const {
  const ConvTactic parsed = ConvTactic::Parse(tactic);
  const std::vector<Phase> phases = Lowered(step, device);
  if (input == kBiasOperand) return FloatsAsOperand(step, input, UnpackConvBias(phases[0].problem, parsed, packed));
  const Shape& shape = step.inputs[kWeightsOperand].shape;
  std::vector<float> weights(static_cast<size_t>(ElemCount(shape)));
  for (const Phase& phase : phases) {
    const std::vector<float> part = UnpackConvWeights(phase.problem, parsed, packed);
    ForEachWeight(phase, shape, [&](size_t from, size_t to) { weights[to] = part[from]; });
    packed = packed.subspan(static_cast<size_t>(PackedBytesOf(phase, parsed)));
  }
  return FloatsAsOperand(step, input, weights);
}

std::vector<KernelLaunch> ConvTransposeFamily::Lower(const StepProblem& step, const std::string& tactic,
                                                     const CudaDevice& device) const {
  const ConvTactic parsed = ConvTactic::Parse(tactic);
  std::vector<KernelLaunch> launches;
  int64_t packed = 0;
  for (const Phase& phase : Lowered(step, device)) {
    const int64_t at = packed;
    packed += PackedBytesOf(phase, parsed);
    if (phase.problem.rows() == 0) continue;
    KernelLaunch launch = LaunchConv(phase.problem, parsed, device.limits);
    launch.pointers[1].offset_bytes = at;
    launch.pointers[2].offset_bytes = phase.residual_offset;
    launch.pointers[3].offset_bytes = phase.output_offset;
    launches.push_back(std::move(launch));
  }
  return launches;
}

}  // namespace tenon::cuda
