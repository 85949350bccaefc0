#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "evaluate/bootstrap.h"
#include "verify/checks.h"

namespace tenon {
namespace {

/// What the contract wants told: half a point of mAP.
constexpr double kTold = 0.5;

ResampledMap Resampled(const Dataset& dataset, const std::vector<ImageDetections>& images) {
  std::vector<ScoredImage> scored;
  for (const ImageDetections& image : images)
    scored.push_back({image.detections, CanvasLabels(dataset.samples.at(image.sample), image.plan)});
  return ResampledMap(scored);
}

/// 95% interval of the drop in points.
Interval DropInterval(const AccuracyPair& pair) {
  const Interval interval =
      BootstrapDifference(Resampled(pair.dataset, pair.source.images), Resampled(pair.dataset, pair.engine.images));
  return {100 * interval.low, 100 * interval.high};
}

}  // namespace

Check CheckMap(const AccuracyPair& pair, double max_drop) {
  Check check{.name = "map", .threshold = max_drop};
  if (pair.engine.report.instances == 0) {
    check.detail = "the data set has no labels";
    return check;
  }
  if (pair.engine.images.size() != pair.source.images.size()) {
    ThrowInvalid({.what = "the images changed while they were measured",
                  .where = pair.dataset.source,
                  .got = fmt::format("{} readable images", pair.engine.images.size()),
                  .expected = std::to_string(pair.source.images.size())});
  }
  const double engine = 100 * pair.engine.report.metrics.ap50_95, source = 100 * pair.source.report.metrics.ap50_95;
  const double drop = source - engine;
  const Interval interval = DropInterval(pair);
  const double reach = std::max(interval.high - drop, drop - interval.low);
  check.status = PassIf(drop <= max_drop);
  check.value = drop;
  check.detail = fmt::format("mAP50-95 {:.2f}, source {:.2f}: {} (95% interval {:.2f} to {:.2f}, {} images)", engine,
                             source, DropText(drop), interval.low, interval.high, pair.engine.images.size());
  if (reach > kTold)
    check.detail += fmt::format("; too few images to tell {:.1f} points: these tell {:.2f}", kTold, reach);
  check.more = {{"engine", engine / 100},
                {"source", source / 100},
                {"interval", {interval.low, interval.high}},
                {"images", pair.engine.images.size()},
                {"tells_half_a_point", reach <= kTold}};
  return check;
}

}  // namespace tenon
