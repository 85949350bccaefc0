#include "quantize/weight_rounding.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/thread_pool.h"
#include "passes/fusable.h"
#include "quantize/float_model.h"
#include "quantize/quantizable_convs.h"
#include "quantize/weights.h"

namespace tenon {
namespace {

/// Added to the variances, as a share of their mean: directions that few patches tell of don't decide alone.
constexpr double kDamping = 0.01;
constexpr int kMaxSweeps = 8;
/// Patches of each image that a conv's moments are made of.
constexpr int64_t kPixelsPerImage = 64;
/// Moments that are held at once: 256 MB. Larger models run on the images several times.
constexpr int64_t kMostHeldElems = int64_t{1} << 26;

/// The covariance of a group's patches, [size, size].
struct Covariance {
  size_t size;
  std::vector<float> values;
  const float* row(size_t i) const { return values.data() + i * size; }
};

Covariance Damped(const PatchMoments& moments, int64_t group) {
  Covariance covariance{static_cast<size_t>(moments.patch_size()), moments.Covariance(group)};
  double trace = 0;
  for (size_t i = 0; i < covariance.size; ++i) trace += covariance.row(i)[i];
  const double damping = std::max(kDamping * trace / static_cast<double>(covariance.size), 1e-20);
  for (size_t i = 0; i < covariance.size; ++i)
    covariance.values[i * covariance.size + i] += static_cast<float>(damping);
  return covariance;
}

/// The weights of one output channel, their levels, and the gradient of the error by the weights.
class Row {
 public:
  Row(std::span<const float> weights, std::span<int8_t> levels, float scale, const Covariance& covariance)
      : weights_(weights), levels_(levels), scale_(scale), covariance_(covariance), gradient_(weights.size()) {
    for (size_t k = 0; k < weights.size(); ++k) AddToGradient(static_cast<float>(levels[k]) * scale - weights[k], k);
  }

  /// Moves each level to the better neighbour of its weight, given the others; false when none moved.
  bool Sweep() {
    bool moved = false;
    for (size_t k = 0; k < weights_.size(); ++k) {
      const auto now = static_cast<float>(levels_[k]);
      const float exact = std::clamp(weights_[k] / scale_, -kMaxLevel, kMaxLevel);
      const float best = now - gradient_[k] / (covariance_.row(k)[k] * scale_);
      const float level = std::clamp(std::nearbyint(best), std::floor(exact), std::ceil(exact));
      if (level == now) continue;
      AddToGradient((level - now) * scale_, k);
      levels_[k] = static_cast<int8_t>(level);
      moved = true;
    }
    return moved;
  }

 private:
  void AddToGradient(float change, size_t k) {
    const float* row = covariance_.row(k);
    for (size_t i = 0; i < gradient_.size(); ++i) gradient_[i] += change * row[i];
  }

  std::span<const float> weights_;
  std::span<int8_t> levels_;
  float scale_;
  const Covariance& covariance_;
  std::vector<float> gradient_;
};

/// Some of the convs, whose moments are held together.
class RoundingBatch {
 public:
  /// Takes convs from the front of the list, at least one.
  explicit RoundingBatch(std::span<const QuantizableConv>& convs) {
    int64_t held = 0;
    size_t count = 0;
    for (; count < convs.size(); ++count) {
      const Node& node = *convs[count].node;
      const Shape& weights = node.input(kWeightsOperand)->shape();
      held += PatchMoments::HeldElems(*node.As<Conv>(), weights);
      if (count > 0 && held > kMostHeldElems) break;
      moments_.emplace_back(*node.As<Conv>(), node.input(0)->shape(), weights, node.output()->shape());
    }
    convs_ = convs.first(count);
    convs = convs.subspan(count);
  }

  void Observe(const Graph& fused, const CalibrationImages& images, const Device& device, ThreadPool& pool) {
    std::vector<std::string> names;
    for (const QuantizableConv& conv : convs_) names.push_back(conv.input->name());
    FloatModel model(fused, names, device);
    Progress progress("", "images", static_cast<int64_t>(images.paths.size()), Progress::Mode::kQuiet);
    ForEachBatch(images, model.input().shape, progress, [&](const ImageBatch& batch) {
      model.Run(batch.values);
      pool.Run(static_cast<int64_t>(moments_.size()), [&](int64_t i, int) {
        const auto conv = static_cast<size_t>(i);
        moments_[conv].Add(model.value(conv), kPixelsPerImage);
      });
    });
  }

  void Round(const StatisticsTable& statistics, ThreadPool& pool, WeightTable& table) {
    std::vector<QuantizedWeights> rounded(convs_.size());
    pool.Run(static_cast<int64_t>(convs_.size()), [&](int64_t i, int) {
      const auto conv = static_cast<size_t>(i);
      const Node& node = *convs_[conv].node;
      const Tensor& weights = node.input(kWeightsOperand)->constant();
      const QuantizedWeights nearest =
          QuantizeWeights(weights, node.As<Conv>()->groups, statistics.at(convs_[conv].input->name()).MeanSquares());
      rounded[conv] = RoundTogether(weights, nearest, moments_[conv]);
    });
    for (size_t i = 0; i < convs_.size(); ++i) table.emplace(convs_[i].node->name(), std::move(rounded[i]));
  }

 private:
  std::span<const QuantizableConv> convs_;
  std::vector<PatchMoments> moments_;
};

}  // namespace

WeightRounding ParseWeightRounding(const std::string& flag) {
  const auto found = std::find(kWeightRoundingNames.begin(), kWeightRoundingNames.end(), flag);
  if (found == kWeightRoundingNames.end()) {
    ThrowInvalid({.what = "unknown weight rounding",
                  .where = "--weight-rounding",
                  .got = flag,
                  .expected = fmt::format("{}", fmt::join(kWeightRoundingNames, ", "))});
  }
  return static_cast<WeightRounding>(found - kWeightRoundingNames.begin());
}

QuantizedWeights RoundTogether(const Tensor& weights, const QuantizedWeights& nearest, const PatchMoments& moments) {
  QuantizedWeights result{Tensor(DType::kInt8, weights.shape()), nearest.scales};
  std::copy_n(nearest.elements.data<int8_t>(), weights.elems(), result.elements.data<int8_t>());
  const int64_t per_group = weights.shape()[0] / moments.groups();
  const auto size = static_cast<size_t>(moments.patch_size());
  for (int64_t group = 0; group < moments.groups(); ++group) {
    const Covariance covariance = Damped(moments, group);
    for (int64_t oc = group * per_group; oc < (group + 1) * per_group; ++oc) {
      const int64_t first = oc * moments.patch_size();
      Row row({weights.data<float>() + first, size}, {result.elements.data<int8_t>() + first, size},
              nearest.scales.data<float>()[oc], covariance);
      for (int sweep = 0; sweep < kMaxSweeps && row.Sweep(); ++sweep) {
      }
    }
  }
  return result;
}

WeightTable RoundConvWeights(const Graph& fused, const CalibrationImages& images, const StatisticsTable& statistics,
                             const Device& device, Progress::Mode mode) {
  const std::vector<QuantizableConv> convs = FindQuantizableConvs(fused);
  WeightTable table;
  ThreadPool pool(device.host_threads());
  Progress progress("weight rounding", "convs", static_cast<int64_t>(convs.size()), mode);
  for (std::span<const QuantizableConv> left = convs; !left.empty();) {
    const size_t before = left.size();
    RoundingBatch batch(left);
    batch.Observe(fused, images, device, pool);
    batch.Round(statistics, pool, table);
    progress.Advance(static_cast<int64_t>(before - left.size()));
  }
  return table;
}

}  // namespace tenon
