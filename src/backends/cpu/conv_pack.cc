#include <cmath>
#include <cstring>

#include "backends/cpu/conv_direct.h"
#include "backends/cpu/packed_elem.h"
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
          const int in_step = c - StepChannel(packing.dot, ic, c / per_step);
          for (int k = 0; k < positions; ++k) {
            const int64_t step = int64_t{k} * packing.steps + c / per_step;
            const int64_t offset = base + (step * block.vectors + o / packing.lanes) * packing.vector_bytes +
                                   (o % packing.lanes) * 4 + in_step * elem;
            visit(((int64_t{g} * oc + first + o) * ic + c) * positions + k, offset);
          }
        }
      }
    }
  }
}

/// Calls visit(output channel, byte offset in a block of one word per channel).
template <class Visit>
void ForEachChannel(const ConvProblem& problem, const ConvPacking& packing, const Visit& visit) {
  const int group_oc = problem.group_oc();
  for (int o = 0; o < problem.oc; ++o) {
    visit(o, (int64_t{o / group_oc} * packing.group_vectors * packing.lanes + o % group_oc) * 4);
  }
}

void StoreWeight(Dot dot, float value, std::byte* to) {
  switch (dot) {
    case Dot::kFloat32:
      return StoreAs<float>(value, to);
    case Dot::kBFloat16:
      return StoreAs<BFloat16>(value, to);
    case Dot::kInt8:
      return StoreAs<int8_t>(value, to);
    case Dot::kInt16:
    case Dot::kWords:
    case Dot::kWordSums:
      return StoreAs<int16_t>(value, to);
  }
}

float LoadWeight(Dot dot, const std::byte* from) {
  switch (dot) {
    case Dot::kFloat32:
      return LoadAs<float>(from);
    case Dot::kBFloat16:
      return LoadAs<BFloat16>(from);
    case Dot::kInt8:
      return LoadAs<int8_t>(from);
    case Dot::kInt16:
    case Dot::kWords:
    case Dot::kWordSums:
      break;
  }
  return LoadAs<int16_t>(from);
}

void CheckSize(std::string_view what, int64_t got, int64_t expected) {
  if (got == expected) return;
  ThrowInvalid({.what = fmt::format("{} of a convolution", what),
                .got = fmt::format("{}", got),
                .expected = fmt::format("{}", expected)});
}

void CheckInt8(std::span<const float> weights) {
  for (const float w : weights) {
    if (w < -128 || w > 127 || w != std::nearbyint(w))
      ThrowInvalid({.what = "a weight of an INT8 convolution",
                    .got = fmt::format("{}", w),
                    .expected = "a whole number from -128 to 127"});
  }
}

/// Sums of the weights of output channel o over input channels, by kernel position.
std::vector<int64_t> PositionSums(const ConvProblem& problem, std::span<const float> weights, int o) {
  const int64_t positions = int64_t{problem.kh} * problem.kw, ic = problem.group_ic();
  std::vector<int64_t> sums(positions, 0);
  for (int64_t c = 0; c < ic; ++c) {
    for (int64_t k = 0; k < positions; ++k) sums[k] += static_cast<int64_t>(weights[(o * ic + c) * positions + k]);
  }
  return sums;
}

int64_t SumOver(std::span<const int64_t> sums, int kernel_width, const KernelRange& rows, const KernelRange& columns) {
  int64_t sum = 0;
  for (int y = rows.begin; y < rows.end; ++y) {
    for (int x = columns.begin; x < columns.end; ++x) sum += sums[int64_t{y} * kernel_width + x];
  }
  return sum;
}

void PackStarts(const ConvProblem& problem, const ConvPacking& packing, std::span<const float> weights,
                std::byte* packed) {
  ForEachChannel(problem, packing, [&](int o, int64_t lane) {
    const std::vector<int64_t> sums = PositionSums(problem, weights, o);
    std::byte* to = packed + packing.start_offset + lane;
    for (const KernelRange& rows : packing.rows) {
      for (const KernelRange& columns : packing.columns) {
        const auto start =
            static_cast<int32_t>(-problem.quantization.x.zero_point * SumOver(sums, problem.kw, rows, columns));
        std::memcpy(to, &start, 4);
        to += packing.channels_bytes;
      }
    }
  });
}

}  // namespace

ConvPacking::ConvPacking(const ConvProblem& problem, int vectors, const CpuFeatures& features)
    : dot(DotOf(problem, features)),
      lanes(LanesOf(BestIsa(features))),
      steps((problem.group_ic() + ChannelsPerStep(dot) - 1) / ChannelsPerStep(dot)),
      group_vectors((problem.group_oc() + lanes - 1) / lanes),
      vector_bytes(lanes * 4),
      position_bytes(steps * vector_bytes),
      blocks(SplitChannels(problem.group_oc(), vectors, lanes)) {
  const int64_t positions = int64_t{problem.kh} * problem.kw, all_vectors = int64_t{problem.groups} * group_vectors;
  ElemCount({problem.kh, problem.kw, steps, vector_bytes, all_vectors, 2});  // throws where it would overflow
  column_bytes = positions * position_bytes;
  bias_offset = all_vectors * column_bytes;
  channels_bytes = all_vectors * lanes * 4;
  size = bias_offset + channels_bytes;
  if (problem.epilogue.has_factors) {
    factor_offset = size;
    size += channels_bytes;
  }
  if (!IsInteger(dot)) return;
  rows = SeenRanges(ColumnOf(problem));
  columns = SeenRanges(RowOf(problem));
  multiplier_offset = size;
  start_offset = multiplier_offset + channels_bytes;
  const auto ranges = static_cast<int64_t>(rows.size() * columns.size());
  ElemCount({ranges, channels_bytes, 2});
  size = start_offset + ranges * channels_bytes;
}

std::vector<std::byte> PackConv(const ConvProblem& problem, const ConvTactic& tactic, const CpuFeatures& features,
                                std::span<const float> weights, std::span<const float> bias,
                                std::span<const float> weight_scales, std::span<const float> factors) {
  const ConvPacking packing(problem, tactic.vectors, features);
  CheckSize("weights", static_cast<int64_t>(weights.size()), problem.WeightCount());
  if (!bias.empty()) CheckSize("bias", static_cast<int64_t>(bias.size()), problem.oc);
  CheckSize("weight scales", static_cast<int64_t>(weight_scales.size()), problem.is_int8() ? problem.oc : 0);
  CheckSize("factors", static_cast<int64_t>(factors.size()), problem.epilogue.has_factors ? problem.oc : 0);
  if (problem.is_int8()) CheckInt8(weights);
  std::vector<std::byte> packed(packing.size);
  ForEachWeight(problem, packing,
                [&](int64_t index, int64_t offset) { StoreWeight(packing.dot, weights[index], &packed[offset]); });
  const float scale = SumScale(problem);
  ForEachChannel(problem, packing, [&](int o, int64_t lane) {
    if (!bias.empty()) StoreAs<float>(bias[o] * scale, &packed[packing.bias_offset + lane]);
    if (problem.is_int8())
      StoreAs<float>(problem.quantization.x.scale * weight_scales[o] * scale,
                     &packed[packing.multiplier_offset + lane]);
    if (!factors.empty())
      StoreAs<float>(StepsPerUnit(problem.quantization.y, factors[o]), &packed[packing.factor_offset + lane]);
  });
  if (problem.is_int8()) PackStarts(problem, packing, weights, packed.data());
  return packed;
}

std::vector<float> UnpackConvWeights(const ConvProblem& problem, const ConvTactic& tactic, const CpuFeatures& features,
                                     std::span<const std::byte> packed) {
  const ConvPacking packing(problem, tactic.vectors, features);
  CheckSize("packed weights", static_cast<int64_t>(packed.size()), packing.size);
  std::vector<float> weights(problem.WeightCount());
  ForEachWeight(problem, packing,
                [&](int64_t index, int64_t offset) { weights[index] = LoadWeight(packing.dot, &packed[offset]); });
  return weights;
}

std::vector<float> UnpackConvBias(const ConvProblem& problem, const ConvTactic& tactic, const CpuFeatures& features,
                                  std::span<const std::byte> packed) {
  const ConvPacking packing(problem, tactic.vectors, features);
  CheckSize("packed weights", static_cast<int64_t>(packed.size()), packing.size);
  std::vector<float> bias(problem.oc);
  const float scale = SumScale(problem);
  ForEachChannel(problem, packing,
                 [&](int o, int64_t lane) { bias[o] = LoadAs<float>(&packed[packing.bias_offset + lane]) / scale; });
  return bias;
}

}  // namespace tenon::cpu
