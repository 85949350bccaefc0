#include <cstring>

#include "backends/cpu/packed_elem.h"
#include "backends/cpu/winograd_conv.h"
#include "base/error.h"
#include "ir/float16.h"

namespace tenon::cpu {
namespace {

/// Calls visit(index in OIHW, byte offset in the packed weights) for every weight.
template <class Visit>
void ForEachWeight(const ConvProblem& problem, const WinogradPacking& packing, const Visit& visit) {
  const int64_t row = int64_t{packing.vectors} * packing.lanes;
  for (int64_t o = 0; o < problem.oc; ++o) {
    for (int64_t c = 0; c < problem.ic; ++c) {
      for (int64_t k = 0; k < kWinogradTaps; ++k)
        visit((o * problem.ic + c) * kWinogradTaps + k, ((c * kWinogradTaps + k) * row + o) * SizeOf(packing.dtype));
    }
  }
}

void StoreElem(DType dtype, float value, std::byte* to) {
  dtype == DType::kFloat32    ? StoreAs<float>(value, to)
  : dtype == DType::kBFloat16 ? StoreAs<BFloat16>(value, to)
                              : StoreAs<int8_t>(value, to);
}

float LoadElem(DType dtype, const std::byte* from) {
  return dtype == DType::kFloat32    ? LoadAs<float>(from)
         : dtype == DType::kBFloat16 ? LoadAs<BFloat16>(from)
                                     : LoadAs<int8_t>(from);
}

void CheckPacked(const WinogradPacking& packing, std::span<const std::byte> packed) {
  if (static_cast<int64_t>(packed.size()) == packing.size) return;
  ThrowInvalid({.what = "packed weights of a Winograd convolution",
                .got = fmt::format("{} bytes", packed.size()),
                .expected = fmt::format("{}", packing.size)});
}

}  // namespace

WinogradPacking::WinogradPacking(const ConvProblem& problem, const CpuFeatures& features)
    : dtype(problem.is_int8()                            ? DType::kInt8
            : DotOf(problem, features) == Dot::kBFloat16 ? DType::kBFloat16
                                                         : DType::kFloat32),
      lanes(LanesOf(BestIsa(features))),
      vectors((problem.oc + lanes - 1) / lanes),
      channels_bytes(int64_t{vectors} * lanes * 4) {
  ElemCount({problem.ic, kMostWinogradPoints, vectors, lanes, 4});  // throws where it would overflow
  const int64_t line = 63;                                          // biases begin at a line of the cache
  bias_offset = (int64_t{problem.ic} * kWinogradTaps * vectors * lanes * SizeOf(dtype) + line) & ~line;
  size = bias_offset + channels_bytes;
  if (!problem.is_int8()) return;
  multiplier_offset = size;
  size += channels_bytes;
}

std::vector<std::byte> PackWinograd(const ConvProblem& problem, const CpuFeatures& features,
                                    std::span<const float> weights, std::span<const float> bias,
                                    std::span<const float> weight_scales) {
  const WinogradPacking packing(problem, features);
  TENON_CHECK(static_cast<int64_t>(weights.size()) == problem.WeightCount());
  TENON_CHECK(bias.empty() || static_cast<int>(bias.size()) == problem.oc);
  TENON_CHECK(static_cast<int>(weight_scales.size()) == (problem.is_int8() ? problem.oc : 0));
  std::vector<std::byte> packed(static_cast<size_t>(packing.size));
  ForEachWeight(problem, packing,
                [&](int64_t index, int64_t offset) { StoreElem(packing.dtype, weights[index], &packed[offset]); });
  const float scale = SumScale(problem);
  for (int o = 0; o < problem.oc; ++o) {
    if (!bias.empty()) StoreAs<float>(bias[o] * scale, &packed[packing.bias_offset + o * 4]);
    if (problem.is_int8())
      StoreAs<float>(problem.quantization.x.scale * weight_scales[o] * scale,
                     &packed[packing.multiplier_offset + o * 4]);
  }
  return packed;
}

std::vector<float> UnpackWinogradWeights(const ConvProblem& problem, const CpuFeatures& features,
                                         std::span<const std::byte> packed) {
  const WinogradPacking packing(problem, features);
  CheckPacked(packing, packed);
  std::vector<float> weights(static_cast<size_t>(problem.WeightCount()));
  ForEachWeight(problem, packing,
                [&](int64_t index, int64_t offset) { weights[index] = LoadElem(packing.dtype, &packed[offset]); });
  return weights;
}

std::vector<float> UnpackWinogradBias(const ConvProblem& problem, const CpuFeatures& features,
                                      std::span<const std::byte> packed) {
  const WinogradPacking packing(problem, features);
  CheckPacked(packing, packed);
  std::vector<float> bias(problem.oc);
  const float scale = SumScale(problem);
  for (int o = 0; o < problem.oc; ++o) bias[o] = LoadAs<float>(&packed[packing.bias_offset + o * 4]) / scale;
  return bias;
}

}  // namespace tenon::cpu
