#include <algorithm>
#include <cmath>
#include <cstring>

#include "backends/cpu/winograd_conv.h"
#include "ir/float16.h"

namespace tenon::cpu {
namespace {

constexpr int kTaps = kWinogradKernel * kWinogradKernel;

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
  for (int l = 0; l < lanes; ++l) {
    const T value(from[l]);
    std::memcpy(to + int64_t{l} * stride * static_cast<int64_t>(sizeof value), &value, sizeof value);
  }
}

}  // namespace

Dot WinogradDotOf(const ConvProblem& problem, const CpuFeatures& features) {
  if (problem.is_int8()) return features.avx512_vnni ? Dot::kWords : Dot::kWordSums;
  return DotOf(problem, features);
}

WinogradFilters::WinogradFilters(const ConvProblem& problem, WinogradForm form, const CpuFeatures& features,
                                 std::vector<ChannelBlock> blocks)
    : problem_(problem),
      form_(form),
      packing_(problem, features),
      dot_(WinogradDotOf(problem, features)),
      blocks_(std::move(blocks)) {
  for (size_t b = 0; b < blocks_.size(); ++b) {
    offsets_.push_back(size_);
    size_ += filters_of_block() * FilterBytes(b);
  }
}

int64_t WinogradFilters::FilterBytes(size_t block) const {
  const int64_t per_step = ChannelsPerStep(dot_), steps = (problem_.ic + per_step - 1) / per_step;
  return steps * blocks_[block].vectors * packing_.lanes * 4;
}

void WinogradFilters::LoadVector(const std::byte* packed, int ic, int vector, float* g) const {
  const int64_t lanes = packing_.lanes, row = packing_.vectors * lanes;
  for (int64_t k = 0; k < kTaps; ++k, g += lanes) {
    const int64_t first = (ic * kTaps + k) * row + vector * lanes;
    if (packing_.dtype == DType::kFloat32) {
      std::memcpy(g, packed + first * 4, static_cast<size_t>(lanes) * 4);
    } else if (packing_.dtype == DType::kBFloat16) {
      const auto* halves = reinterpret_cast<const BFloat16*>(packed) + first;
      for (int64_t l = 0; l < lanes; ++l) g[l] = static_cast<float>(halves[l]);
    } else {
      const auto* bytes = reinterpret_cast<const int8_t*>(packed) + first;
      for (int64_t l = 0; l < lanes; ++l) g[l] = bytes[l];
    }
  }
}

template <class Visit>
void WinogradFilters::ForEachVector(const std::byte* packed, const Visit& visit) const {
  const int lanes = packing_.lanes;
  std::vector<float> g(static_cast<size_t>(kTaps * lanes)), u(static_cast<size_t>(filters_of_block() * lanes));
  for (size_t b = 0; b < blocks_.size(); ++b) {
    for (int c = 0; c < problem_.ic; ++c) {
      for (int v = 0; v < blocks_[b].vectors; ++v) {
        LoadVector(packed, c, blocks_[b].first_vector + v, g.data());
        TransformWinogradWeights(form_, lanes, g.data(), u.data());
        visit(b, c, v, u.data());
      }
    }
  }
}

// Of kF4Words, whose filters are its points. A sum of products is at most sum |u| / step + half for each rounding, times the reach of the inputs.
std::vector<float> WinogradFilters::Steps(const std::byte* packed) const {
  constexpr double kMostSum = 2147483647.0, kMostWord = 32767;
  const int lanes = packing_.lanes, points = filters_of_block();
  const auto zero_point = static_cast<double>(problem_.quantization.x.zero_point);
  const double most_input = std::max(zero_point, 255 - zero_point);
  std::vector<double> sums(static_cast<size_t>(points * packing_.vectors * lanes)), largest(sums.size());
  ForEachVector(packed, [&](size_t b, int, int v, const float* u) {
    for (int i = 0; i < points * lanes; ++i) {
      const size_t at = (static_cast<size_t>(i / lanes) * packing_.vectors + blocks_[b].first_vector + v) * lanes +
                        static_cast<size_t>(i % lanes);
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

void WinogradFilters::Fill(const std::byte* packed) {
  const int lanes = packing_.lanes, per_step = ChannelsPerStep(dot_);
  filters_ = AlignedBuffer(size_, "transformed weights");
  epilogue_ = AlignedBuffer(2 * packing_.channels_bytes, "biases");
  std::memcpy(epilogue_.data(), packed + packing_.bias_offset, static_cast<size_t>(packing_.channels_bytes));
  std::vector<float> steps;
  if (problem_.is_int8()) {
    steps = Steps(packed);
    auto* to = reinterpret_cast<float*>(epilogue_.data() + packing_.channels_bytes);
    std::memcpy(to, packed + packing_.multiplier_offset, static_cast<size_t>(packing_.channels_bytes));
    for (size_t i = 0; i < steps.size(); ++i) to[i] *= steps[i] / WinogradGain(form_);
  }
  std::vector<float> rounded(static_cast<size_t>(lanes));
  ForEachVector(packed, [&](size_t b, int c, int v, const float* u) {
    std::byte* to = filters_.data() + offsets_[b] + (int64_t{c / per_step} * blocks_[b].vectors + v) * lanes * 4 +
                    c % per_step * (4 / per_step);
    for (int filter = 0; filter < filters_of_block(); ++filter, to += FilterBytes(b), u += lanes) {
      if (dot_ == Dot::kFloat32) {
        std::memcpy(to, u, static_cast<size_t>(lanes) * 4);
      } else if (dot_ == Dot::kBFloat16) {
        StoreRow<BFloat16>(u, lanes, per_step, to);
      } else {
        const float* of_lane = &steps[static_cast<size_t>((blocks_[b].first_vector + v) * lanes)];
        for (int l = 0; l < lanes; ++l) rounded[l] = std::nearbyint(u[l] / of_lane[l]);
        StoreRow<int16_t>(rounded.data(), lanes, per_step, to);
      }
    }
  });
}

}  // namespace tenon::cpu
