#include "backends/cpu/transposed_conv.h"

#include <algorithm>

#include "base/error.h"

namespace tenon::cpu {
namespace {

constexpr int64_t kAlignment = 64;

int64_t AlignUp(int64_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

/// The view of every `step`-th row and column, from (y, x) on.
View EveryNth(View view, int step_h, int step_w, int y, int x) {
  view.offset += y * view.h_stride + x * view.w_stride;
  view.h_stride *= step_h;
  view.w_stride *= step_w;
  return view;
}

ConvProblem PhaseProblem(const ConvProblem& p, const AxisPhase& rows, const AxisPhase& columns, int y, int x) {
  ConvProblem phase = p;
  const bool has_taps = rows.taps > 0 && columns.taps > 0;
  phase.oh = rows.outputs;
  phase.ow = columns.outputs;
  phase.kh = has_taps ? rows.taps : 0;
  phase.kw = has_taps ? columns.taps : 0;
  phase.stride_h = phase.stride_w = 1;
  phase.dilation_h = rows.dilation;
  phase.dilation_w = columns.dilation;
  phase.pad_top = rows.pad;
  phase.pad_left = columns.pad;
  phase.output = EveryNth(p.output, p.stride_h, p.stride_w, y, x);
  if (p.epilogue.residual) phase.epilogue.residual = EveryNth(*p.epilogue.residual, p.stride_h, p.stride_w, y, x);
  return phase;
}

/// Calls visit(index in [OC, IC/groups, taps, taps] of the phase, index in [IC, OC/groups, KH, KW]).
template <class Visit>
void ForEachWeight(const ConvProblem& p, const ConvPhase& phase, const Visit& visit) {
  const int ic = p.group_ic(), oc = p.group_oc();
  int64_t index = 0;
  for (int o = 0; o < p.oc; ++o) {
    for (int c = 0; c < ic; ++c) {
      for (int y = 0; y < phase.problem.kh; ++y) {
        for (int x = 0; x < phase.problem.kw; ++x) {
          const int kh = phase.rows.first_tap + (phase.rows.taps - 1 - y) * phase.rows.tap_step;
          const int kw = phase.columns.first_tap + (phase.columns.taps - 1 - x) * phase.columns.tap_step;
          visit(index++, ((int64_t{o / oc * ic + c} * oc + o % oc) * p.kh + kh) * p.kw + kw);
        }
      }
    }
  }
}

/// Calls visit(phase, offset of its packed weights, their size) and returns the whole size.
template <class Visit>
int64_t ForEachPacked(const TransposedProblem& problem, const ConvTactic& tactic, const CpuFeatures& features,
                      const Visit& visit) {
  int64_t offset = 0;
  for (const ConvPhase& phase : SplitPhases(problem)) {
    const int64_t size = ConvPacking(phase.problem, tactic.vectors, features).size;
    visit(phase, offset, size);
    offset += AlignUp(size);
  }
  return offset;
}

void CheckPackedSize(size_t got, int64_t expected) {
  if (static_cast<int64_t>(got) == expected) return;
  ThrowInvalid({.what = "packed weights of a transposed convolution",
                .got = fmt::format("{} bytes", got),
                .expected = fmt::format("{}", expected)});
}

}  // namespace

std::vector<ConvPhase> SplitPhases(const TransposedProblem& problem) {
  const ConvProblem& p = problem.geometry;
  std::vector<ConvPhase> phases;
  for (int y = 0; y < p.stride_h; ++y) {
    for (int x = 0; x < p.stride_w; ++x) {
      const AxisPhase rows = PhaseOf(y, p.oh, p.kh, p.stride_h, p.dilation_h, p.pad_top);
      const AxisPhase columns = PhaseOf(x, p.ow, p.kw, p.stride_w, p.dilation_w, p.pad_left);
      phases.push_back({rows, columns, PhaseProblem(p, rows, columns, y, x)});
    }
  }
  return phases;
}

std::vector<ConvTactic> TransposedCandidates(const TransposedProblem& problem, const CpuFeatures& features,
                                             int threads) {
  const std::vector<ConvPhase> phases = SplitPhases(problem);
  const auto largest = std::max_element(
      phases.begin(), phases.end(), [](const auto& a, const auto& b) { return a.problem.Flops() < b.problem.Flops(); });
  return ConvCandidates(largest->problem, features, threads);
}

std::vector<std::byte> PackTransposed(const TransposedProblem& problem, const ConvTactic& tactic,
                                      const CpuFeatures& features, std::span<const float> weights,
                                      std::span<const float> bias) {
  const ConvProblem& p = problem.geometry;
  if (static_cast<int64_t>(weights.size()) != p.WeightCount()) {
    ThrowInvalid({.what = "weights of a transposed convolution",
                  .got = fmt::format("{}", weights.size()),
                  .expected = fmt::format("{}", p.WeightCount())});
  }
  std::vector<std::byte> packed;
  ForEachPacked(problem, tactic, features, [&](const ConvPhase& phase, int64_t offset, int64_t size) {
    std::vector<float> taps(phase.problem.WeightCount());
    ForEachWeight(p, phase, [&](int64_t to, int64_t from) { taps[to] = weights[from]; });
    const std::vector<std::byte> part = PackConv(phase.problem, tactic, features, taps, bias);
    packed.resize(offset + AlignUp(size));
    std::copy(part.begin(), part.end(), packed.begin() + offset);
  });
  return packed;
}

std::vector<float> UnpackTransposedWeights(const TransposedProblem& problem, const ConvTactic& tactic,
                                           const CpuFeatures& features, std::span<const std::byte> packed) {
  CheckPackedSize(packed.size(), ForEachPacked(problem, tactic, features, [](const auto&, int64_t, int64_t) {}));
  std::vector<float> weights(problem.geometry.WeightCount());
  ForEachPacked(problem, tactic, features, [&](const ConvPhase& phase, int64_t offset, int64_t size) {
    const std::vector<float> taps = UnpackConvWeights(phase.problem, tactic, features, packed.subspan(offset, size));
    ForEachWeight(problem.geometry, phase, [&](int64_t from, int64_t to) { weights[to] = taps[from]; });
  });
  return weights;
}

std::vector<float> UnpackTransposedBias(const TransposedProblem& problem, const ConvTactic& tactic,
                                        const CpuFeatures& features, std::span<const std::byte> packed) {
  CheckPackedSize(packed.size(), ForEachPacked(problem, tactic, features, [](const auto&, int64_t, int64_t) {}));
  const ConvProblem first = SplitPhases(problem).front().problem;
  return UnpackConvBias(first, tactic, features, packed.first(ConvPacking(first, tactic.vectors, features).size));
}

TransposedConv::TransposedConv(const TransposedProblem& problem, const ConvTactic& tactic,
                               const CpuFeatures& features) {
  first_items_.push_back(0);
  packed_bytes_ = ForEachPacked(problem, tactic, features, [&](const ConvPhase& phase, int64_t offset, int64_t) {
    const bool has_outputs = phase.rows.outputs > 0 && phase.columns.outputs > 0;
    phases_.push_back(has_outputs ? std::make_unique<DirectConv>(phase.problem, tactic, features) : nullptr);
    packed_offsets_.push_back(offset);
    first_items_.push_back(first_items_.back() + (has_outputs ? phases_.back()->work_items() : 0));
  });
}

void TransposedConv::Run(const ConvArgs& args, int64_t item) const {
  TENON_CHECK(item >= 0 && item < work_items());
  const auto next = std::upper_bound(first_items_.begin(), first_items_.end(), item);
  const size_t phase = next - first_items_.begin() - 1;
  ConvArgs of_phase = args;
  of_phase.packed = args.packed + packed_offsets_[phase];
  phases_[phase]->Run(of_phase, item - first_items_[phase]);
}

}  // namespace tenon::cpu
