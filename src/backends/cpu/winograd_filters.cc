#include <algorithm>
#include <cmath>
#include <cstring>

#include "backends/cpu/packed_elem.h"
#include "backends/cpu/winograd_conv.h"
#include "base/error.h"
#include "ir/float16.h"

namespace tenon::cpu {
namespace {

/// The largest magnitude that B^T d B may have at a point of kF4Words, for inputs of magnitude 1.
double InputReach(int point) {
  constexpr int kSize = WinogradInputs(WinogradForm::kF4Words);
  static const std::vector<double> b = MatricesOfWinograd(WinogradForm::kF4Words).b_transposed;
  const auto row = [&](int i) {
    double sum = 0;
    for (int k = 0; k < kSize; ++k) sum += std::abs(b[i * kSize + k]);
    return sum;
  };
  return row(point / kSize) * row(point % kSize);
}

template <class T>
void StoreRow(const float* from, int lanes, int stride, std::byte* to) {
  for (int64_t l = 0; l < lanes; ++l) StoreAs<T>(from[l], to + l * stride * static_cast<int64_t>(sizeof(T)));
}

/// Makes the expanded form of one step's packed weights.
class Expander {
 public:
  Expander(const ConvProblem& problem, WinogradForm form, const CpuFeatures& features, const std::byte* packed)
      : problem_(problem),
        form_(form),
        packing_(problem, features),
        expansion_(problem, form, features),
        filters_(WinogradFilterRows(form) * WinogradFilterRows(form)),
        packed_(packed) {}

  AlignedBuffer Expand() const {
    AlignedBuffer expanded(expansion_.size, "transformed weights");
    std::byte* const biases = expanded.data() + expansion_.bias_offset;
    std::memcpy(biases, packed_ + packing_.bias_offset, static_cast<size_t>(packing_.channels_bytes));
    std::vector<float> steps;
    if (problem_.is_int8()) {
      steps = Steps();
      auto* to = reinterpret_cast<float*>(biases + packing_.channels_bytes);
      std::memcpy(to, packed_ + packing_.multiplier_offset, static_cast<size_t>(packing_.channels_bytes));
      for (size_t i = 0; i < steps.size(); ++i) to[i] *= steps[i] / WinogradGain(form_);
    }
    ForEachVector([&](int c, int v, const float* u) { Store(c, v, u, steps, expanded.data()); });
    return expanded;
  }

 private:
  /// Calls visit(ic, vector, transformed [filter][lane]).
  template <class Visit>
  void ForEachVector(const Visit& visit) const {
    std::vector<float> g(static_cast<size_t>(kWinogradTaps * packing_.lanes)),
        u(static_cast<size_t>(filters_ * packing_.lanes));
    for (int c = 0; c < problem_.ic; ++c) {
      for (int v = 0; v < packing_.vectors; ++v) {
        LoadVector(c, v, g.data());
        TransformWinogradWeights(form_, packing_.lanes, g.data(), u.data());
        visit(c, v, u.data());
      }
    }
  }

  void LoadVector(int ic, int vector, float* g) const {
    const int64_t lanes = packing_.lanes, row = packing_.vectors * lanes;
    for (int64_t k = 0; k < kWinogradTaps; ++k, g += lanes) {
      const int64_t first = (ic * kWinogradTaps + k) * row + vector * lanes;
      if (packing_.dtype == DType::kFloat32) {
        std::memcpy(g, packed_ + first * 4, static_cast<size_t>(lanes) * 4);
      } else if (packing_.dtype == DType::kBFloat16) {
        const auto* halves = reinterpret_cast<const BFloat16*>(packed_) + first;
        for (int64_t l = 0; l < lanes; ++l) g[l] = static_cast<float>(halves[l]);
      } else {
        const auto* bytes = reinterpret_cast<const int8_t*>(packed_) + first;
        for (int64_t l = 0; l < lanes; ++l) g[l] = bytes[l];
      }
    }
  }

  void Store(int c, int v, const float* u, std::span<const float> steps, std::byte* filters) const {
    const int lanes = packing_.lanes, per_step = ChannelsPerStep(expansion_.dot);
    std::byte* to =
        filters + v * expansion_.vector_bytes + int64_t{c / per_step} * lanes * 4 + c % per_step * (4 / per_step);
    float rounded[kMostWinogradLanes];
    for (int filter = 0; filter < filters_; ++filter, to += expansion_.filter_bytes, u += lanes) {
      if (expansion_.dot == Dot::kFloat32) {
        std::memcpy(to, u, static_cast<size_t>(lanes) * 4);
      } else if (expansion_.dot == Dot::kBFloat16) {
        StoreRow<BFloat16>(u, lanes, per_step, to);
      } else {
        for (int l = 0; l < lanes; ++l) rounded[l] = std::nearbyint(u[l] / steps[static_cast<size_t>(v * lanes + l)]);
        StoreRow<int16_t>(rounded, lanes, per_step, to);
      }
    }
  }

  /// By output channel, what one unit of the rounded weights is worth.
  // Of kF4Words, whose filters are its points. A sum of products is at most sum |u| / step + half for each rounding,
  // times the reach of the inputs.
  std::vector<float> Steps() const {
    constexpr double kMostSum = 2147483647.0, kMostWord = 32767;
    const int lanes = packing_.lanes, points = filters_;
    const auto zero_point = static_cast<double>(problem_.quantization.x.zero_point);
    const double most_input = std::max(zero_point, 255 - zero_point);
    std::vector<double> sums(static_cast<size_t>(points * packing_.vectors * lanes)), largest(sums.size());
    ForEachVector([&](int, int v, const float* u) {
      for (int i = 0; i < points * lanes; ++i) {
        const auto at = static_cast<size_t>((i / lanes * packing_.vectors + v) * lanes + i % lanes);
        sums[at] += std::abs(u[i]);
        largest[at] = std::max<double>(largest[at], std::abs(u[i]));
      }
    });
    std::vector<float> steps(static_cast<size_t>(packing_.vectors * lanes), 0.0f);
    for (size_t at = 0; at < sums.size(); ++at) {
      const double reach = InputReach(static_cast<int>(at / steps.size())) * most_input;
      const double step = std::max(sums[at] * reach / (kMostSum - reach * problem_.ic / 2), largest[at] / kMostWord);
      float& of_channel = steps[at % steps.size()];
      of_channel = std::max(of_channel, static_cast<float>(step * (1 + 1e-6)));  // the division below rounds
    }
    for (float& step : steps) {
      if (step == 0) step = 1;  // all weights are zero
    }
    return steps;
  }

  const ConvProblem& problem_;
  const WinogradForm form_;
  const WinogradPacking packing_;
  const WinogradExpansion expansion_;
  const int filters_;
  const std::byte* const packed_;
};

}  // namespace

Dot WinogradDotOf(const ConvProblem& problem, const CpuFeatures& features) {
  if (problem.is_int8()) return features.avx512_vnni ? Dot::kWords : Dot::kWordSums;
  return DotOf(problem, features);
}

WinogradExpansion::WinogradExpansion(const ConvProblem& problem, WinogradForm form, const CpuFeatures& features)
    : dot(WinogradDotOf(problem, features)) {
  const WinogradPacking packing(problem, features);
  const int per_step = ChannelsPerStep(dot);
  steps = (problem.ic + per_step - 1) / per_step;
  constexpr int64_t kLine = 64;
  // Vectors at a power of two from each other would share a few sets of the L1.
  vector_bytes = ((int64_t{steps} * packing.lanes * 4 + kLine - 1) / kLine | 1) * kLine;
  filter_bytes = packing.vectors * vector_bytes;
  bias_offset = WinogradFilterRows(form) * WinogradFilterRows(form) * filter_bytes;
  size = bias_offset + packing.channels_bytes * (problem.is_int8() ? 2 : 1);
}

AlignedBuffer ExpandWinograd(const ConvProblem& problem, WinogradForm form, const CpuFeatures& features,
                             std::span<const std::byte> packed) {
  TENON_CHECK(static_cast<int64_t>(packed.size()) >= WinogradPacking(problem, features).size);
  return Expander(problem, form, features, packed.data()).Expand();
}

}  // namespace tenon::cpu
