#include "quantize/assignment.h"

#include <algorithm>
#include <cmath>

#include "base/interrupt.h"
#include "quantize/quantizable_convs.h"

namespace tenon {
namespace {

/// Noise in the final tensors that goes with a drop of one point of mAP50-95 or less.
constexpr double kNoisePerPoint = 0.02;
/// Below this share of what is allowed nothing is to be gained.
constexpr double kQuietShare = 0.4;
/// Noise alone takes back no more than this share of the FLOPs; the judge may.
constexpr double kMostForNoise = 0.08;
/// A conv goes back that takes this many times as large a share of the noise with it as of the time.
constexpr double kCheap = 10;
/// What a half conv between INT8 ones costs beside its own time (twice the bytes in and out), as a share of the whole.
constexpr double kConversionShare = 0.005;
/// Nothing that was timed costs less: times are not better known.
constexpr double kLeastCost = 1e-3;
/// Layers that are asked again before each return, at most.
constexpr size_t kMostAsked = 4;
/// Returns must take this share of the convs' own noises with them, together: where one of two convs in a row spoils a
/// signal already, only the return of both helps.
constexpr double kLeastEffect = 0.25;
/// A return that makes this many times as much noise is undone at once: its error made up for another one.
constexpr double kHarm = 1.01;
/// Returns in a row that may fail to help, at most.
constexpr int kMaxVain = 8;
/// What returns to INT8 at the end may add so much to the noise, all together.
constexpr double kNeedlessNoise = 1.05;
/// When the judge finds too large a drop: rounds of a noise so many times the last one.
constexpr int kMaxRounds = 4;
constexpr double kQuieter = 0.75;
/// A gain of time that is no accident of timing.
constexpr double kRealGain = 0.99;

class AssignmentSearch {
 public:
  AssignmentSearch(const Graph& fused, double map_drop, const AssignmentTools& tools)
      : tools_(tools), map_drop_(map_drop), dense_flops_(DenseFlops(fused)) {
    for (const QuantizableConv& conv : FindQuantizableConvs(fused)) {
      layers_.push_back({.name = conv.node->name(), .share = conv.flops / dense_flops_});
      chosen_.int8.insert(conv.node->name());
      chosen_.flops_share += layers_.back().share;
    }
  }

  Assignment Run() {
    chosen_.noise_of_all = chosen_.noise = Noise();
    if (tools_.times) ReturnSlowConvs();
    const double allowed = kNoisePerPoint * map_drop_;
    if (chosen_.noise > QuietNoise(map_drop_)) {
      RankByNoise();
      ReturnCheapConvs();
      ReturnUntil(allowed, chosen_.flops_share - kMostForNoise);
    }
    for (int round = 0; Rejected() && round < kMaxRounds; ++round) {
      RankByNoise();
      ReturnUntil(kQuieter * chosen_.noise, 0);
    }
    TakeNeedlessBack();
    if (tools_.times) chosen_.chosen_us = tools_.times(chosen_.int8).total_us;
    return std::move(chosen_);
  }

 private:
  struct Layer {
    std::string name;
    double share = 0;            ///< of the FLOPs
    double noise = 0;            ///< it alone in INT8
    std::optional<double> gain;  ///< noise that its return takes away, as far as it was asked
    std::optional<double> cost;  ///< of its return, as a share of the program's time; where it was timed
    bool returned = false;
    bool harmful = false;  ///< its return was tried
  };

  double Noise() const { return chosen_.int8.empty() ? 0 : tools_.noise(chosen_.int8); }

  void Return(Layer& layer, KeptLayer::Reason reason) {
    layer.returned = true;
    chosen_.int8.erase(layer.name);
    chosen_.flops_share -= layer.share;
    KeptLayer kept{.node = layer.name, .reason = reason, .noise = {}, .flops_share = layer.share};
    if (reason == KeptLayer::Reason::kAccuracy) kept.noise = layer.noise;
    kept.int8_us = TimeOf(all_, layer.name);
    kept.half_us = TimeOf(half_, layer.name);
    chosen_.kept.push_back(std::move(kept));
  }

  static std::optional<double> TimeOf(const ProgramTimes& times, const std::string& name) {
    const auto found = times.step_us.find(name);
    return found == times.step_us.end() || found->second == 0 ? std::nullopt : std::optional(found->second);
  }

  /// All convs that are no faster in INT8 together: alone, each would pay for conversions on both sides.
  void ReturnSlowConvs() {
    all_ = tools_.times(chosen_.int8);
    half_ = tools_.times({});
    chosen_.all_us = now_us_ = all_.total_us;
    chosen_.half_us = half_.total_us;
    std::vector<Layer*> slow;
    std::set<std::string> fewer = chosen_.int8;
    for (Layer& layer : layers_) {
      const auto int8 = TimeOf(all_, layer.name), half = TimeOf(half_, layer.name);
      if (!int8 || !half || *int8 < *half) continue;
      slow.push_back(&layer);
      fewer.erase(layer.name);
    }
    if (slow.empty()) return;
    const double without_us = tools_.times(fewer).total_us;
    if (without_us >= kRealGain * now_us_) return;
    for (Layer* layer : slow) Return(*layer, KeptLayer::Reason::kTime);
    now_us_ = without_us;
    chosen_.noise = Noise();
  }

  /// Measures each conv's noise, once, and orders them: noisiest first.
  void RankByNoise() {
    if (ranked_) return;
    ranked_ = true;
    Progress progress("sensitivity", "layers", static_cast<int64_t>(layers_.size()), tools_.progress);
    for (Layer& layer : layers_) {
      CheckInterrupt();
      if (!layer.returned) layer.noise = tools_.noise({layer.name});
      progress.Advance();
    }
    std::stable_sort(layers_.begin(), layers_.end(), [](const Layer& a, const Layer& b) { return a.noise > b.noise; });
  }

  /// What its return costs, as a share of the program's time.
  double CostShare(const Layer& layer) const {
    if (layer.cost) return std::max(*layer.cost, kLeastCost);
    const auto int8 = TimeOf(all_, layer.name), half = TimeOf(half_, layer.name);
    const double own = int8 && half ? std::max(0.0, *half - *int8) / all_.total_us : layer.share;
    return own + kConversionShare;
  }

  /// The noise that it stands for: halfway between what it makes alone and what its return takes away, the two ends of
  /// Shapley's average. The first alone overrates what drowns in others' noise, the second sees nothing in one of two
  /// that spoil the same signal.
  static double WorthOf(const Layer& layer) { return (layer.noise + layer.gain.value_or(layer.noise)) / 2; }

  /// What the return of this layer buys and costs from here.
  void Ask(Layer& layer) const {
    std::set<std::string> fewer = chosen_.int8;
    fewer.erase(layer.name);
    layer.gain = chosen_.noise - (fewer.empty() ? 0 : tools_.noise(fewer));
    if (!tools_.times) return;
    layer.cost = (tools_.times(fewer).total_us - tools_.times(chosen_.int8).total_us) / all_.total_us;
  }

  /// The layer whose return is the best buy. What the others returned has changed what it buys, and what it costs its
  /// neighbours can't be told from its own time: a best one is asked again before it is believed.
  Layer* BestBuy(double least_flops_share) {
    std::set<const Layer*> asked;
    while (true) {
      Layer* best = nullptr;
      for (Layer& layer : layers_) {
        if (layer.returned || layer.harmful || chosen_.flops_share - layer.share < least_flops_share) continue;
        if (!best || WorthOf(layer) / CostShare(layer) > WorthOf(*best) / CostShare(*best)) best = &layer;
      }
      if (!best || asked.size() == kMostAsked || !asked.insert(best).second) return best;
      Ask(*best);
    }
  }

  void TryReturn(Layer& layer) {
    Assignment before = chosen_;
    Return(layer, KeptLayer::Reason::kAccuracy);
    chosen_.noise = Noise();
    ++vain_;
    if (chosen_.noise > kHarm * before.noise) {
      chosen_ = std::move(before);
      layer.returned = false;
      layer.harmful = true;
      return;
    }
    hoped_ += WorthOf(layer);
    if (useful_.noise - chosen_.noise >= kLeastEffect * hoped_) Settle();
  }

  /// What is chosen now has proven useful.
  void Settle() {
    useful_ = chosen_;
    hoped_ = 0;
    vain_ = 0;
  }

  /// Forgets the last returns, those that did not help.
  void Unwind() {
    for (Layer& layer : layers_) layer.returned = !useful_.int8.contains(layer.name);
    chosen_ = useful_;
  }

  /// Best buys first, as long as they are wanted, and no further than to this share of the FLOPs.
  template <class Wanted>
  void ReturnWhile(const Wanted& wanted, double least_flops_share) {
    Settle();
    while (vain_ < kMaxVain) {
      Layer* best = BestBuy(least_flops_share);
      if (!best || !wanted(*best)) break;
      TryReturn(*best);
    }
    Unwind();
  }

  void ReturnCheapConvs() {
    ReturnWhile([&](const Layer& layer) { return WorthOf(layer) > kCheap * CostShare(layer) * chosen_.noise; }, 0);
  }

  void ReturnUntil(double allowed, double least_flops_share) {
    ReturnWhile([&](const Layer&) { return chosen_.noise > allowed; }, least_flops_share);
  }

  /// Convs in half that the returns of others made needless compute in INT8 again, those that cost most time first, as
  /// far as the noise stays what it is; the judge has the last word.
  void TakeNeedlessBack() {
    if (chosen_.verdict && chosen_.verdict->Rejects(map_drop_, chosen_.noise)) return;
    const Assignment before = chosen_;
    const double allowed = kNeedlessNoise * chosen_.noise;
    std::vector<const Layer*> candidates;
    for (const KeptLayer& kept : before.kept) {
      const auto layer =
          std::find_if(layers_.begin(), layers_.end(), [&](const Layer& l) { return l.name == kept.node; });
      const bool slow = kept.int8_us && kept.half_us && *kept.int8_us >= *kept.half_us;
      if (kept.reason == KeptLayer::Reason::kAccuracy && !slow) candidates.push_back(&*layer);
    }
    std::stable_sort(candidates.begin(), candidates.end(),
                     [&](const Layer* a, const Layer* b) { return CostShare(*a) > CostShare(*b); });
    for (const Layer* layer : candidates) TakeBackIfQuiet(*layer, allowed);
    if (chosen_.int8 != before.int8 && Rejected()) chosen_ = before;
  }

  void TakeBackIfQuiet(const Layer& layer, double allowed) {
    std::set<std::string> more = chosen_.int8;
    more.insert(layer.name);
    const double noise = tools_.noise(more);
    if (noise > allowed) return;
    chosen_.int8 = std::move(more);
    chosen_.noise = noise;
    chosen_.flops_share += layer.share;
    std::erase_if(chosen_.kept, [&](const KeptLayer& kept) { return kept.node == layer.name; });
  }

  bool Rejected() {
    if (!tools_.judge || chosen_.int8.empty()) return false;
    chosen_.verdict = tools_.judge(chosen_.int8);
    return chosen_.verdict->Rejects(map_drop_, chosen_.noise);
  }

  const AssignmentTools& tools_;
  const double map_drop_, dense_flops_;
  Assignment chosen_, useful_;
  std::vector<Layer> layers_;  ///< in graph order, then noisiest first
  ProgramTimes all_, half_;
  double now_us_ = 0;
  double hoped_ = 0;  ///< sum of the noises of the convs that went back since `useful_`
  int vain_ = 0;      ///< their number
  bool ranked_ = false;
};

}  // namespace

double QuietNoise(double map_drop) { return kQuietShare * kNoisePerPoint * map_drop; }

Assignment ChooseAssignment(const Graph& fused, double map_drop, const AssignmentTools& tools) {
  return AssignmentSearch(fused, map_drop, tools).Run();
}

}  // namespace tenon
