#include <cstring>

#include "backends/cpu/depthwise_conv.h"
#include "backends/cpu/depthwise_dot_tile.h"
#include "base/error.h"
#include "ir/float16.h"

namespace tenon::cpu {
namespace {

constexpr int64_t kWord = 4;

/// Calls visit(index in [C, KH, KW], byte in the packed weights) for every weight.
template <class Visit>
void ForEachWeight(const ConvProblem& problem, const ConvTactic& tactic, const DepthwisePacking& packing,
                   const Visit& visit) {
  const int rows_per_word = packing.uses_dots ? kRowsPerDot : 1;
  for (const ChannelBlock& block : SplitChannels(problem.oc, tactic.vectors, packing.lanes)) {
    const int64_t first = int64_t{block.first_vector} * packing.lanes;
    const int count = (block.vectors - 1) * packing.lanes + block.tail_lanes;
    for (int c = 0; c < count; ++c) {
      for (int y = 0; y < problem.kh; ++y) {
        for (int x = 0; x < problem.kw; ++x) {
          const int64_t position = int64_t{y / rows_per_word} * problem.kw + x;
          const int64_t word = packing.WeightsOf(block) + position * block.vectors * packing.lanes + c;
          visit(((first + c) * problem.kh + y) * problem.kw + x, word * kWord + y % rows_per_word);
        }
      }
    }
  }
}

void CheckSize(std::string_view what, size_t got, int64_t expected) {
  if (static_cast<int64_t>(got) == expected) return;
  ThrowInvalid({.what = fmt::format("{} of a depthwise convolution", what),
                .got = fmt::format("{}", got),
                .expected = fmt::format("{}", expected)});
}

/// -zero point * the sum of the channel's weights in all rows of these columns.
int32_t FirstSum(const ConvProblem& problem, std::span<const float> weights, int channel, KernelRange columns) {
  int64_t sum = 0;
  for (int y = 0; y < problem.kh; ++y) {
    for (int x = columns.begin; x < columns.end; ++x)
      sum += static_cast<int64_t>(weights[(int64_t{channel} * problem.kh + y) * problem.kw + x]);
  }
  return static_cast<int32_t>(-problem.quantization.x.zero_point * sum);
}

}  // namespace

DepthwisePacking::DepthwisePacking(const ConvProblem& problem, const CpuFeatures& features)
    : uses_dots(problem.is_int8() && features.avx512_vnni && problem.kh >= 1 && problem.kh <= kMostDotRows),
      lanes(LanesOf(BestIsa(features))),
      channels((int64_t{problem.oc} + lanes - 1) / lanes * lanes) {
  const int64_t rows = uses_dots ? (problem.kh + kRowsPerDot - 1) / kRowsPerDot : problem.kh;
  if (uses_dots) columns = SeenRanges(RowOf(problem));
  positions = rows * problem.kw;
  const auto ranges = static_cast<int64_t>(columns.size());
  const bool has_factors = problem.epilogue.has_factors;
  // Throws where it would overflow.
  size_bytes = ElemCount({channels, positions + (problem.is_int8() ? 2 : 1) + (has_factors ? 1 : 0) + ranges, kWord});
  biases = channels * positions;
  multipliers = biases + channels;
  factors = problem.is_int8() ? multipliers + channels : multipliers;
  starts = has_factors ? factors + channels : factors;
}

std::vector<std::byte> PackDepthwise(const ConvProblem& problem, const ConvTactic& tactic, const CpuFeatures& features,
                                     std::span<const float> weights, std::span<const float> bias,
                                     std::span<const float> weight_scales, std::span<const float> factors) {
  const DepthwisePacking packing(problem, features);
  CheckSize("weights", weights.size(), problem.WeightCount());
  if (!bias.empty()) CheckSize("bias", bias.size(), problem.oc);
  CheckSize("weight scales", weight_scales.size(), problem.is_int8() ? problem.oc : 0);
  CheckSize("factors", factors.size(), problem.epilogue.has_factors ? problem.oc : 0);
  std::vector<std::byte> packed(packing.size_bytes);
  const auto store = [&](int64_t word, auto value) { std::memcpy(&packed[word * kWord], &value, sizeof value); };
  const bool rounds = problem.compute == DType::kBFloat16;
  ForEachWeight(problem, tactic, packing, [&](int64_t from, int64_t to) {
    const float weight = rounds ? static_cast<float>(BFloat16(weights[from])) : weights[from];
    packing.uses_dots ? void(packed[to] = static_cast<std::byte>(static_cast<int8_t>(weight)))
                      : void(std::memcpy(&packed[to], &weight, sizeof weight));
  });
  const float scale = SumScale(problem);
  for (size_t c = 0; c < bias.size(); ++c) store(packing.biases + static_cast<int64_t>(c), bias[c] * scale);
  for (size_t c = 0; c < weight_scales.size(); ++c)
    store(packing.multipliers + static_cast<int64_t>(c), problem.quantization.x.scale * weight_scales[c] * scale);
  for (size_t c = 0; c < factors.size(); ++c)
    store(packing.factors + static_cast<int64_t>(c), StepsPerUnit(problem.quantization.y, factors[c]));
  for (size_t range = 0; range < packing.columns.size(); ++range) {
    for (int c = 0; c < problem.oc; ++c)
      store(packing.starts + static_cast<int64_t>(range) * packing.channels + c,
            FirstSum(problem, weights, c, packing.columns[range]));
  }
  return packed;
}

std::vector<float> UnpackDepthwiseWeights(const ConvProblem& problem, const ConvTactic& tactic,
                                          const CpuFeatures& features, std::span<const std::byte> packed) {
  const DepthwisePacking packing(problem, features);
  CheckSize("packed weights", packed.size(), packing.size_bytes);
  std::vector<float> weights(problem.WeightCount());
  ForEachWeight(problem, tactic, packing, [&](int64_t to, int64_t from) {
    packing.uses_dots ? void(weights[to] = static_cast<float>(static_cast<int8_t>(packed[from])))
                      : void(std::memcpy(&weights[to], &packed[from], sizeof(float)));
  });
  return weights;
}

std::vector<float> UnpackDepthwiseBias(const ConvProblem& problem, const ConvTactic&, const CpuFeatures& features,
                                       std::span<const std::byte> packed) {
  const DepthwisePacking packing(problem, features);
  CheckSize("packed weights", packed.size(), packing.size_bytes);
  std::vector<float> bias(problem.oc);
  std::memcpy(bias.data(), &packed[packing.biases * kWord], bias.size() * sizeof(float));
  for (float& b : bias) b /= SumScale(problem);
  return bias;
}

}  // namespace tenon::cpu
