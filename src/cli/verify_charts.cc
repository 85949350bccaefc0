#include "cli/verify_charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "cli/json_fields.h"
#include "report/svg_plot.h"

namespace tenon::cli {
namespace {

using Json = nlohmann::ordered_json;

// As wide as a phone, so that labels are as large there as the text around them.
constexpr int kWidth = 380;
constexpr size_t kMostClasses = 25, kMostLayers = 15;

double NumberOr(const Json& json, const char* key, double otherwise = NAN) {
  return Number(json, key).value_or(otherwise);
}

std::vector<const Json*> Objects(const Json& list) {
  std::vector<const Json*> objects;
  if (!list.is_array()) return objects;
  for (const Json& element : list) {
    if (element.is_object()) objects.push_back(&element);
  }
  return objects;
}

/// What was built, in order; without attempts the engine alone.
std::string MapChart(const Json& report) {
  const Json& map = FindCheck(report, "map");
  const double source = 100 * NumberOr(map, "source"), allowed = source - NumberOr(map, "threshold");
  DotPlot plot{.frame = {.title = "mAP50-95 by precision", .x_title = "points", .y_title = "", .width = kWidth},
               .series = {},
               .rows = {},
               .marks = {{allowed, fmt::format("least allowed {:.2f}", allowed)}, {source, "source"}},
               .least_span = 1};
  const auto add = [&](const std::string& label, double value) {
    if (std::isfinite(value))
      plot.rows.push_back({label, {value}, fmt::format("{:.2f} ({:+.2f})", value, value - source)});
  };
  size_t number = 0;
  for (const Json* attempt : Objects(Child(report, "attempts")))
    add(fmt::format("{} {}", ++number, TextField(*attempt, "precision")), 100 * NumberOr(*attempt, "map50_95"));
  if (number == 0) add(TextField(report, "precision"), 100 * NumberOr(map, "engine"));
  if (plot.rows.empty() || !std::isfinite(source)) return "";
  plot.rows.push_back({"source, fp32", {source}, fmt::format("{:.2f}", source)});
  plot.frame.description =
      fmt::format("The source has {:.2f} points, at least {:.2f} are allowed; what was built last has {:.2f}.", source,
                  allowed, plot.rows[plot.rows.size() - 2].values[0]);
  return ToSvg(plot);
}

/// Widens the chart by empty bins so that the budget is on it, where that leaves the runs a third of the width.
void MakeRoomFor(double budget, HistogramPlot& plot) {
  const double width = (plot.high - plot.low) / plot.bins;
  const double below = std::ceil((plot.low - budget) / width), above = std::ceil((budget - plot.high) / width + 1);
  const double missing = std::max(below, above);
  if (missing > 2 * plot.bins) {
    plot.frame.x_title = fmt::format("ms; the p95 budget is {:g}", budget);
    return;
  }
  std::vector<int64_t>& counts = plot.series[0].counts;
  if (below > 0) {
    counts.insert(counts.begin(), static_cast<size_t>(below), 0);
    plot.low -= below * width;
  } else if (above > 0) {
    counts.resize(counts.size() + static_cast<size_t>(above), 0);
    plot.high += above * width;
  }
  plot.bins = static_cast<int>(counts.size());
}

std::string LatencyChart(const Json& report) {
  const Json& check = FindCheck(report, "p95_latency");
  const Json &histogram = Child(check, "histogram"), &times = Child(check, "engine_ms");
  HistogramPlot plot{
      .frame = {.title = "One run of the engine", .x_title = "ms", .y_title = "runs", .width = kWidth, .height = 320},
      .low = NumberOr(histogram, "low"),
      .high = NumberOr(histogram, "high"),
      .bins = 0,
      .series = {{"runs", {}, {}}}};
  const Json& counts = Child(histogram, "counts");
  for (const Json& count : counts.is_array() ? counts : Json::array())
    plot.series[0].counts.push_back(count.is_number_integer() ? std::max<int64_t>(count.get<int64_t>(), 0) : 0);
  plot.bins = static_cast<int>(plot.series[0].counts.size());
  if (plot.bins == 0 || !(plot.high > plot.low) || !std::isfinite(plot.high - plot.low)) return "";
  for (const auto& [key, name] : {std::pair("median", "p50"), {"p95", "p95"}, {"p99", "p99"}}) {
    if (const auto ms = Number(times, key)) plot.marks.push_back({*ms, fmt::format("{} {:.2f}", name, *ms)});
  }
  const auto budget = Number(check, "threshold");
  if (budget) {
    plot.marks.push_back({*budget, fmt::format("p95 budget {:g}", *budget)});
    MakeRoomFor(*budget, plot);
  }
  plot.frame.description =
      fmt::format("Median {:.2f} ms, 95th percentile {:.2f} ms, 99th {:.2f} ms; {}.", NumberOr(times, "median"),
                  NumberOr(times, "p95"), NumberOr(times, "p99"),
                  budget ? fmt::format("the budget of the 95th is {:g} ms", *budget) : "there is no budget");
  return ToSvg(plot);
}

/// AP of each class, engine and source, the largest loss first.
std::string ClassChart(const Json& report) {
  std::vector<const Json*> classes = Objects(Child(report, "classes"));
  const auto loss = [](const Json* row) { return NumberOr(*row, "source_ap50_95", 0) - NumberOr(*row, "ap50_95", 0); };
  std::stable_sort(classes.begin(), classes.end(), [&](const Json* a, const Json* b) { return loss(a) > loss(b); });
  const size_t all = classes.size();
  classes.resize(std::min(all, kMostClasses));
  DotPlot plot{.frame = {.title = all > kMostClasses
                                      ? fmt::format("AP50-95: the {} of {} classes that lost most", kMostClasses, all)
                                      : "AP50-95 by class, largest loss first",
                         .x_title = "points",
                         .y_title = "",
                         .width = kWidth},
               .series = {"engine", "source"},
               .rows = {},
               .marks = {}};
  for (const Json* row : classes) {
    const double engine = 100 * NumberOr(*row, "ap50_95"), source = 100 * NumberOr(*row, "source_ap50_95");
    plot.rows.push_back(
        {TextField(*row, "name"), {engine, source}, fmt::format("{:.1f} ({:+.2f})", engine, engine - source)});
  }
  if (plot.rows.empty()) return "";
  plot.frame.description = fmt::format("The largest loss: {}, {} points.", plot.rows[0].label, plot.rows[0].text);
  return ToSvg(plot);
}

int SeriesOf(const std::string& precision) { return precision == "int8" ? 2 : precision == "half" ? 0 : 1; }

/// The layers that take most of the time, and what the others take.
std::string LayerChart(const Json& report) {
  std::vector<const Json*> layers = Objects(Child(report, "layers"));
  const auto ms = [](const Json* layer) { return NumberOr(*layer, "ms", 0); };
  std::stable_sort(layers.begin(), layers.end(), [&](const Json* a, const Json* b) { return ms(a) > ms(b); });
  double total = 0, rest = 0;
  std::map<std::string, double> by_precision;
  for (size_t i = 0; i < layers.size(); ++i) {
    total += ms(layers[i]);
    rest += i < kMostLayers ? 0 : ms(layers[i]);
    by_precision[TextField(*layers[i], "precision")] += ms(layers[i]);
  }
  if (!(total > 0)) return "";
  BarPlot plot{.frame = {.title = "Layers by time", .x_title = "ms", .y_title = "", .width = kWidth}, .bars = {}};
  for (size_t i = 0; i < std::min(layers.size(), kMostLayers); ++i) {
    const std::string precision = TextField(*layers[i], "precision");
    plot.bars.push_back({TextField(*layers[i], "name"), ms(layers[i]),
                         fmt::format("{:.3f} {}", ms(layers[i]), precision), SeriesOf(precision)});
  }
  if (layers.size() > kMostLayers)
    plot.frame.x_title =
        fmt::format("ms; {} other steps take {:.2f} of {:.2f}", layers.size() - kMostLayers, rest, total);
  plot.frame.description = fmt::format("{:.2f} ms in {} steps:", total, layers.size());
  for (const auto& [precision, time] : by_precision)
    plot.frame.description += fmt::format(" {:.0f}% in {}", 100 * time / total, precision);
  return ToSvg(plot);
}

}  // namespace

const Json& FindCheck(const Json& report, const std::string& name) {
  for (const Json* check : Objects(Child(report, "checks"))) {
    if (TextField(*check, "name") == name) return *check;
  }
  static const Json kNone;
  return kNone;
}

std::vector<std::string> ReportCharts(const Json& report) {
  std::vector<std::string> charts;
  for (const auto& chart : {MapChart, LatencyChart, ClassChart, LayerChart}) {
    if (std::string svg = chart(report); !svg.empty()) charts.push_back(std::move(svg));
  }
  return charts;
}

}  // namespace tenon::cli
