#include "quantize/assignment.h"

#include <algorithm>

#include "quantize/quantizable_convs.h"

namespace tenon {
namespace {

/// Noise in the final tensors that goes with a drop of one point of mAP50-95 or less.
constexpr double kNoisePerPoint = 0.04;
/// Rounds of "half the noise" when the judge finds too large a drop.
constexpr int kMaxRounds = 3;

class AssignmentSearch {
 public:
  AssignmentSearch(const Graph& fused, const StatisticsTable& statistics, const NoiseMeter& meter,
                   const AssignmentOptions& options)
      : fused_(fused), statistics_(statistics), meter_(meter), options_(options), dense_flops_(DenseFlops(fused)) {
    for (const QuantizableConv& conv : FindQuantizableConvs(fused)) {
      chosen_.int8.insert(conv.node->name());
      chosen_.flops_share += conv.flops / dense_flops_;
    }
  }

  Assignment Run() {
    chosen_.noise = chosen_.noise_of_all = Measure();
    double target = kNoisePerPoint * options_.map_drop;
    for (int round = 0; round < kMaxRounds; ++round, target = std::min(target, chosen_.noise) / 2) {
      Reduce(target);
      if (JudgeAccepts()) break;
    }
    return std::move(chosen_);
  }

 private:
  InsertOptions Insert() const { return {.calibrator = options_.calibrator, .int8 = chosen_.int8}; }
  double Measure() const { return chosen_.int8.empty() ? 0 : meter_.Measure(Insert()); }

  /// Takes back the noisiest convs until the noise is below the target.
  void Reduce(double target) {
    if (chosen_.noise <= target) return;
    if (layers_.empty()) {
      layers_ = MeasureSensitivity(fused_, meter_, Insert(), options_.progress);
      std::stable_sort(layers_.begin(), layers_.end(), [](const auto& a, const auto& b) { return a.noise > b.noise; });
      for (const auto& layer : layers_) left_ += layer.noise;
    }
    while (chosen_.noise > target && next_ < layers_.size()) {
      // Noises add up only roughly: take back what should do, measure, go on.
      const double should_be = left_ * target / chosen_.noise;
      while (next_ < layers_.size() && left_ > should_be) TakeBack(layers_[next_++]);
      chosen_.noise = Measure();
    }
  }

  void TakeBack(const LayerSensitivity& layer) {
    chosen_.int8.erase(layer.node);
    chosen_.kept.push_back({layer.node, layer.noise, layer.flops / dense_flops_});
    chosen_.flops_share -= layer.flops / dense_flops_;
    left_ -= layer.noise;
  }

  bool JudgeAccepts() {
    if (!options_.judge) return true;
    if (!chosen_.map_float) chosen_.map_float = options_.judge(fused_);
    const std::unique_ptr<Graph> quantized = fused_.Clone();
    InsertQuantization(*quantized, Insert(), statistics_);
    SimulateQuantization(*quantized);
    chosen_.map_int8 = options_.judge(*quantized);
    return *chosen_.map_float - *chosen_.map_int8 <= options_.map_drop;
  }

  const Graph& fused_;
  const StatisticsTable& statistics_;
  const NoiseMeter& meter_;
  const AssignmentOptions& options_;
  const double dense_flops_;
  Assignment chosen_;
  std::vector<LayerSensitivity> layers_;  ///< noisiest first; measured when they are needed
  size_t next_ = 0;                       ///< the first that is still in INT8
  double left_ = 0;                       ///< sum of the noises of those
};

}  // namespace

Assignment ChooseAssignment(const Graph& fused, const StatisticsTable& statistics, const NoiseMeter& meter,
                            const AssignmentOptions& options) {
  return AssignmentSearch(fused, statistics, meter, options).Run();
}

}  // namespace tenon
