#include <cstring>

#include "backends/cpu/conv_direct.h"
#include "base/error.h"
#include "ir/float16.h"

namespace tenon::cpu {
namespace {

/// Calls visit(index in OIHW, byte offset in the packed weights) for every weight.
template <class Visit>
void ForEachWeight(const ConvProblem& problem, const ConvPacking& packing, const Visit& visit) {
  const int per_step = ChannelsPerStep(packing.dot), elem = 4 / per_step;
  const int ic = problem.group_ic(), oc = problem.group_oc(), positions = problem.kh * problem.kw;
  for (int g = 0; g < problem.groups; ++g) {
    for (const ChannelBlock& block : packing.blocks) {
      const int64_t base = packing.WeightOffset(g, block);
      const int first = block.first_vector * packing.lanes;
      const int count = (block.vectors - 1) * packing.lanes + block.tail_lanes;
      for (int o = 0; o < count; ++o) {
        for (int c = 0; c < ic; ++c) {
          for (int k = 0; k < positions; ++k) {
            const int64_t step = int64_t{k} * packing.steps + c / per_step;
            const int64_t offset = base + (step * block.vectors + o / packing.lanes) * packing.vector_bytes +
                                   (o % packing.lanes) * 4 + (c % per_step) * elem;
            visit(((int64_t{g} * oc + first + o) * ic + c) * positions + k, offset);
          }
        }
      }
    }
  }
}

void CheckSize(std::string_view what, int64_t got, int64_t expected) {
  if (got == expected) return;
  ThrowInvalid({.what = fmt::format("{} of a convolution", what),
                .got = fmt::format("{}", got),
                .expected = fmt::format("{}", expected)});
}

}  // namespace

ConvPacking::ConvPacking(const ConvProblem& problem, int vectors, Isa isa)
    : dot(DotOf(problem)),
      lanes(LanesOf(isa)),
      steps((problem.group_ic() + ChannelsPerStep(dot) - 1) / ChannelsPerStep(dot)),
      group_vectors((problem.group_oc() + lanes - 1) / lanes),
      vector_bytes(lanes * 4),
      position_bytes(steps * vector_bytes),
      blocks(SplitChannels(problem.group_oc(), vectors, lanes)) {
  const int64_t positions = int64_t{problem.kh} * problem.kw, all_vectors = int64_t{problem.groups} * group_vectors;
  ElemCount({problem.kh, problem.kw, steps, vector_bytes, all_vectors, 2});  // throws where it would overflow
  column_bytes = positions * position_bytes;
  bias_offset = all_vectors * column_bytes;
  size = bias_offset + all_vectors * lanes * 4;
}

std::vector<std::byte> PackConv(const ConvProblem& problem, const ConvTactic& tactic, Isa isa,
                                std::span<const float> weights, std::span<const float> bias) {
  const ConvPacking packing(problem, tactic.vectors, isa);
  CheckSize("weights", static_cast<int64_t>(weights.size()), problem.WeightCount());
  if (!bias.empty()) CheckSize("bias", static_cast<int64_t>(bias.size()), problem.oc);
  std::vector<std::byte> packed(packing.size);
  ForEachWeight(problem, packing, [&](int64_t index, int64_t offset) {
    if (packing.dot == Dot::kFloat32) {
      std::memcpy(&packed[offset], &weights[index], 4);
    } else {
      const BFloat16 rounded(weights[index]);
      std::memcpy(&packed[offset], &rounded, 2);
    }
  });
  const size_t group_oc = problem.group_oc();
  for (size_t o = 0; o < bias.size(); ++o) {
    const int64_t lane = (o / group_oc) * packing.group_vectors * packing.lanes + o % group_oc;
    std::memcpy(&packed[packing.bias_offset + lane * 4], &bias[o], 4);
  }
  return packed;
}

std::vector<float> UnpackConvWeights(const ConvProblem& problem, const ConvTactic& tactic, Isa isa,
                                     std::span<const std::byte> packed) {
  const ConvPacking packing(problem, tactic.vectors, isa);
  CheckSize("packed weights", static_cast<int64_t>(packed.size()), packing.size);
  std::vector<float> weights(problem.WeightCount());
  ForEachWeight(problem, packing, [&](int64_t index, int64_t offset) {
    if (packing.dot == Dot::kFloat32) {
      std::memcpy(&weights[index], &packed[offset], 4);
    } else {
      BFloat16 rounded;
      std::memcpy(&rounded, &packed[offset], 2);
      weights[index] = static_cast<float>(rounded);
    }
  });
  return weights;
}

std::vector<float> UnpackConvBias(const ConvProblem& problem, const ConvTactic& tactic, Isa isa,
                                  std::span<const std::byte> packed) {
  const ConvPacking packing(problem, tactic.vectors, isa);
  CheckSize("packed weights", static_cast<int64_t>(packed.size()), packing.size);
  std::vector<float> bias(problem.oc);
  const size_t group_oc = problem.group_oc();
  for (size_t o = 0; o < bias.size(); ++o) {
    const int64_t lane = (o / group_oc) * packing.group_vectors * packing.lanes + o % group_oc;
    std::memcpy(&bias[o], &packed[packing.bias_offset + lane * 4], 4);
  }
  return bias;
}

}  // namespace tenon::cpu
