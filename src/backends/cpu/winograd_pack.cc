#include <cstring>

#include "backends/cpu/winograd_conv.h"
#include "base/error.h"
#include "ir/float16.h"

namespace tenon::cpu {
namespace {

constexpr int kTaps = kWinogradKernel * kWinogradKernel;

/// Calls visit(index in OIHW, byte offset in the packed weights) for every weight.
template <class Visit>
void ForEachWeight(const ConvProblem& problem, const WinogradPacking& packing, const Visit& visit) {
  const int64_t row = int64_t{packing.vectors} * packing.lanes;
  for (int64_t o = 0; o < problem.oc; ++o) {
    for (int64_t c = 0; c < problem.ic; ++c) {
      for (int64_t k = 0; k < kTaps; ++k)
        visit((o * problem.ic + c) * kTaps + k, ((c * kTaps + k) * row + o) * packing.elem_bytes);
    }
  }
}

void CheckPacked(const WinogradPacking& packing, std::span<const std::byte> packed) {
  if (static_cast<int64_t>(packed.size()) == packing.size) return;
  ThrowInvalid({.what = "packed weights of a Winograd convolution",
                .got = fmt::format("{} bytes", packed.size()),
                .expected = fmt::format("{}", packing.size)});
}

}  // namespace

WinogradPacking::WinogradPacking(const ConvProblem& problem, const CpuFeatures& features)
    : dot(DotOf(problem, features)),
      lanes(LanesOf(BestIsa(features))),
      vectors((problem.oc + lanes - 1) / lanes),
      elem_bytes(4 / ChannelsPerStep(dot)) {
  ElemCount({problem.ic, kMostWinogradPoints, vectors, lanes, 4});  // throws where it would overflow
  bias_offset = int64_t{problem.ic} * kTaps * vectors * lanes * elem_bytes;
  size = bias_offset + int64_t{vectors} * lanes * 4;
}

std::vector<std::byte> PackWinograd(const ConvProblem& problem, const CpuFeatures& features,
                                    std::span<const float> weights, std::span<const float> bias) {
  const WinogradPacking packing(problem, features);
  TENON_CHECK(static_cast<int64_t>(weights.size()) == problem.WeightCount());
  TENON_CHECK(bias.empty() || static_cast<int>(bias.size()) == problem.oc);
  std::vector<std::byte> packed(static_cast<size_t>(packing.size));
  ForEachWeight(problem, packing, [&](int64_t index, int64_t offset) {
    if (packing.dot == Dot::kFloat32) {
      std::memcpy(&packed[offset], &weights[index], 4);
    } else {
      const BFloat16 half(weights[index]);
      std::memcpy(&packed[offset], &half, 2);
    }
  });
  if (!bias.empty()) std::memcpy(&packed[packing.bias_offset], bias.data(), bias.size() * 4);
  return packed;
}

std::vector<float> UnpackWinogradWeights(const ConvProblem& problem, const CpuFeatures& features,
                                         std::span<const std::byte> packed) {
  const WinogradPacking packing(problem, features);
  CheckPacked(packing, packed);
  std::vector<float> weights(static_cast<size_t>(problem.WeightCount()));
  ForEachWeight(problem, packing, [&](int64_t index, int64_t offset) {
    if (packing.dot == Dot::kFloat32) {
      std::memcpy(&weights[index], &packed[offset], 4);
    } else {
      BFloat16 half;
      std::memcpy(&half, &packed[offset], 2);
      weights[index] = static_cast<float>(half);
    }
  });
  return weights;
}

std::vector<float> UnpackWinogradBias(const ConvProblem& problem, const CpuFeatures& features,
                                      std::span<const std::byte> packed) {
  const WinogradPacking packing(problem, features);
  CheckPacked(packing, packed);
  std::vector<float> bias(problem.oc);
  std::memcpy(bias.data(), &packed[packing.bias_offset], bias.size() * 4);
  return bias;
}

}  // namespace tenon::cpu
