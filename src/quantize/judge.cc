#include "quantize/judge.h"

#include <algorithm>

#include "base/error.h"
#include "compile/compiler.h"
#include "runtime/load.h"
#include "verify/accuracy.h"

namespace tenon {
namespace {

/// Enough for an interval's ends; each costs a walk over all matches.
constexpr int kResamples = 300;

Dataset EverySecond(const Dataset& data, size_t first) {
  Dataset half = data;
  half.samples.clear();
  for (size_t i = first; i < data.samples.size(); i += 2) half.samples.push_back(data.samples[i]);
  return half;
}

/// The images that both hold.
std::array<ResampledMap, 2> OnSameImages(const std::vector<std::optional<ScoredImage>>& a,
                                         const std::vector<std::optional<ScoredImage>>& b) {
  std::array<std::vector<ScoredImage>, 2> both;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!a[i] || !b[i]) continue;
    both[0].push_back(*a[i]);
    both[1].push_back(*b[i]);
  }
  return {ResampledMap(both[0]), ResampledMap(both[1])};
}

bool HasLabels(const Dataset& data) {
  return std::any_of(data.samples.begin(), data.samples.end(), [](const Sample& s) { return !s.truths.empty(); });
}

double MapOf(const ResampledMap& map) { return 100 * map.MeanAp(std::vector<int>(map.images(), 1)); }

}  // namespace

double Verdict::ExpectedDrop(double noise) const {
  constexpr double kWithoutNoise = 0.15, kPerNoise = 15, kSpread = 0.2, kSpreadPerNoise = 5;
  const double seen = map_float - map_int8, foretold = kWithoutNoise + kPerNoise * noise;
  const double spread = kSpread + kSpreadPerNoise * noise;
  const double seen_variance = StandardError() * StandardError(), foretold_variance = spread * spread;
  return (seen * foretold_variance + foretold * seen_variance) / (seen_variance + foretold_variance);
}

bool Verdict::Rejects(double map_drop, double noise) const {
  return map_float - map_int8 > std::max(map_drop, StandardError()) || ExpectedDrop(noise) > map_drop;
}

Judge::Judge(const Graph& fused, const Dataset& data, const Head& head, const Device& device, Precision precision,
             OwnRounding own_rounding, Progress::Mode mode)
    : fused_(fused),
      data_(data),
      head_(head),
      device_(device.Share()),
      precision_(precision),
      own_rounding_(own_rounding),
      mode_(mode),
      can_judge_(HasLabels(data) && static_cast<int>(data.names.size()) == head.num_classes),
      float_(data.samples.size()) {}

DetectOptions Judge::Options() const {
  DetectOptions options = DetectOptions::Val();
  options.nms.max_detections =
      static_cast<int>(std::max<int64_t>(options.nms.max_detections, data_.most_truths_in_an_image));
  return options;
}

void Judge::Keep(Scored& scored, size_t sample, const LetterboxPlan& plan, std::vector<Detection> detections) const {
  scored.at(sample) = ScoredImage{std::move(detections), CanvasLabels(data_.samples.at(sample), plan)};
}

void Judge::ShowFloat(std::span<const TensorView> outputs, int64_t place, size_t sample, const LetterboxPlan& plan) {
  if (!can_judge_) return;
  shown_ += !float_.at(sample);
  Keep(float_, sample, plan, Detect(head_, outputs, place, Options()));
}

void Judge::TakeFloat(Scored detections) {
  if (detections.size() != float_.size()) return;
  float_ = std::move(detections);
  shown_ = static_cast<size_t>(std::count_if(float_.begin(), float_.end(), [](const auto& image) { return !!image; }));
}

void Judge::RunHalf(std::unique_ptr<Graph> graph, Precision precision, size_t half, Scored& scored) const {
  const Dataset images = EverySecond(data_, half);
  if (images.samples.empty()) return;
  TimingCache cache;
  CompileOptions options{.precision = precision};
  options.tune = {.effort = 0, .own_rounding = own_rounding_};  // accuracy doesn't depend on tactics
  AllowRoundedIntegers(options.tune);
  Detector detector(MakeEngine(CompileFor(std::move(graph), *device_, options, cache).engine, *device_),
                    std::string(HeadFlag(head_.kind)), device_->host_threads());
  AccuracyOptions accuracy{.title = half == 0 ? "judge, first half" : "judge, second half", .progress = mode_};
  accuracy.nms = Options().nms;
  EvaluateImages(detector, images, accuracy, [&](ImageDetections image) {
    Keep(scored, 2 * image.sample + half, image.plan, std::move(image.detections));
  });
}

Verdict Judge::Ask(std::array<std::unique_ptr<Graph>, 2> quantized) {
  TENON_CHECK(can_judge_);
  if (shown_ == 0) {  // the calibration was taken from its file
    Scored detections(data_.samples.size());
    for (size_t half = 0; half < 2; ++half) RunHalf(fused_.Clone(), Precision::kFp32, half, detections);
    TakeFloat(std::move(detections));
  }
  Scored int8(data_.samples.size());
  for (size_t half = 0; half < 2; ++half) RunHalf(std::move(quantized[1 - half]), precision_, half, int8);
  const std::array<ResampledMap, 2> maps = OnSameImages(float_, int8);
  return {.map_float = MapOf(maps[0]), .map_int8 = MapOf(maps[1]), .drop = [&] {
            const Interval drop = BootstrapDifference(maps[0], maps[1], {.resamples = kResamples});
            return Interval{100 * drop.low, 100 * drop.high};
          }()};
}

}  // namespace tenon
