#include "report/svg_plot.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "report/svg_canvas.h"

namespace tenon {
namespace {

constexpr double kTop = 64, kRight = 24, kBottom = 52, kLeft = 64;
constexpr double kRadius = 5;
constexpr int kTicks = 6;

/// A label's place, so that the next ones can keep clear of it.
struct LabelBox {
  double x1, y1, x2, y2;
  bool Meets(const LabelBox& other) const { return x1 < other.x2 && other.x1 < x2 && y1 < other.y2 && other.y1 < y2; }
};

struct LabelPlace {
  double x, y;
  const char* anchor;
  LabelBox box;
};

/// Right of the point, left, above, below: the first place inside the frame that meets no other label, else the first.
LabelPlace PlaceLabel(double x, double y, const std::string& label, const PlotFrame& frame,
                      const std::vector<LabelBox>& taken) {
  const double w = LabelWidth(label), gap = kRadius + 4, h = 7;
  const std::array<LabelPlace, 4> places = {{
      {x + gap, y + 4, "start", {x + gap, y - h, x + gap + w, y + h}},
      {x - gap, y + 4, "end", {x - gap - w, y - h, x - gap, y + h}},
      {x, y - gap, "middle", {x - w / 2, y - gap - 2 * h, x + w / 2, y - gap}},
      {x, y + gap + 10, "middle", {x - w / 2, y + gap, x + w / 2, y + gap + 2 * h}},
  }};
  for (const LabelPlace& place : places) {
    const LabelBox& box = place.box;
    const bool inside = box.x1 >= 0 && box.x2 <= frame.width && box.y1 >= 0 && box.y2 <= frame.height;
    if (inside && std::none_of(taken.begin(), taken.end(), [&](const auto& other) { return box.Meets(other); }))
      return place;
  }
  return places[0];
}

std::string NoData(const PlotFrame& frame) {
  SvgCanvas canvas(frame, frame.height);
  canvas.Text(frame.width / 2.0, frame.height / 2.0, "middle", "no data");
  return canvas.Finish();
}

/// Lowest and highest with a tenth of room on both sides.
std::pair<double, double> WithRoom(double low, double high) {
  const double room = (high - low) / 10;
  return {low - room, high + room};
}

}  // namespace

std::string ToSvg(const ScatterPlot& plot) {
  const PlotFrame& frame = plot.frame;
  std::vector<ScatterPoint> points;
  for (const auto& point : plot.points) {
    if (std::isfinite(point.x) && std::isfinite(point.y)) points.push_back(point);
  }
  if (points.empty()) return NoData(frame);
  const auto by_x = [](const auto& a, const auto& b) { return a.x < b.x; };
  const auto by_y = [](const auto& a, const auto& b) { return a.y < b.y; };
  const auto [left, right] = std::minmax_element(points.begin(), points.end(), by_x);
  const auto [low, high] = std::minmax_element(points.begin(), points.end(), by_y);
  const auto [x1, x2] = WithRoom(left->x, right->x);
  const double wider = std::max(0.0, plot.least_y_span - (high->y - low->y)) / 2;
  const auto [y1, y2] = WithRoom(low->y - wider, high->y + wider);
  // Times and scores are never negative: no room below zero where no point is.
  const PlotAxis x = PlotAxis::Over(left->x >= 0 ? std::max(0.0, x1) : x1, x2, kTicks, kLeft, frame.width - kRight);
  const PlotAxis y = PlotAxis::Over(low->y >= 0 ? std::max(0.0, y1) : y1, y2, kTicks, frame.height - kBottom, kTop);
  SvgCanvas canvas(frame, frame.height);
  canvas.XAxis(x, kTop, frame.height - kBottom, frame.x_title);
  canvas.YAxis(y, kLeft, frame.width - kRight, frame.y_title);
  std::vector<LabelBox> taken;
  for (const auto& point : points) {
    const double px = x.Pixel(point.x), py = y.Pixel(point.y);
    taken.push_back({px - kRadius, py - kRadius, px + kRadius, py + kRadius});
  }
  for (const auto& point : points) {
    const double px = x.Pixel(point.x), py = y.Pixel(point.y);
    canvas.Circle(px, py, kRadius, point.series, fmt::format("{}: {:.6g}, {:.6g}", point.label, point.x, point.y));
    const LabelPlace place = PlaceLabel(px, py, point.label, frame, taken);
    taken.push_back(place.box);
    canvas.Text(place.x, place.y, place.anchor, point.label);
  }
  return canvas.Finish();
}

std::string ToSvg(const BarPlot& plot) {
  constexpr double kBar = 22, kPitch = 34;
  const PlotFrame& frame = plot.frame;
  std::vector<Bar> bars;
  for (const Bar& bar : plot.bars) {
    if (std::isfinite(bar.value) && bar.value >= 0) bars.push_back(bar);
  }
  if (bars.empty()) return NoData(frame);
  double most = 0, labels = 0, texts = 0;
  for (const Bar& bar : bars) {
    most = std::max(most, bar.value);
    labels = std::max(labels, LabelWidth(bar.label));
    texts = std::max(texts, LabelWidth(bar.text));
  }
  const double top = 44, left = std::min(labels + 24, frame.width * 0.42);
  const double bottom = top + kPitch * static_cast<double>(bars.size());
  const PlotAxis x =
      PlotAxis::Over(0, most > 0 ? most : 1, kTicks, left, std::max(left + 40, frame.width - kRight - texts - 8));
  SvgCanvas canvas(frame, static_cast<int>(bottom + kBottom));
  canvas.XAxis(x, top, bottom, frame.x_title);
  for (size_t i = 0; i < bars.size(); ++i) {
    const Bar& bar = bars[i];
    const double y = top + kPitch * static_cast<double>(i) + (kPitch - kBar) / 2;
    canvas.Text(left - 8, y + kBar / 2 + 4, "end", FitLabel(bar.label, left - 16));
    canvas.Rect(left, y, x.Pixel(bar.value) - left, kBar, bar.series, fmt::format("{}: {:.6g}", bar.label, bar.value));
    canvas.Text(x.Pixel(bar.value) + 8, y + kBar / 2 + 4, "start", bar.text);
  }
  return canvas.Finish();
}

namespace {

std::vector<int64_t> CountBins(const std::vector<double>& values, const HistogramPlot& plot) {
  std::vector<int64_t> counts(static_cast<size_t>(plot.bins), 0);
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    const double place = (value - plot.low) / (plot.high - plot.low) * plot.bins;
    ++counts[static_cast<size_t>(std::clamp(place, 0.0, static_cast<double>(plot.bins - 1)))];
  }
  return counts;
}

}  // namespace

std::string ToSvg(const HistogramPlot& plot) {
  TENON_CHECK(plot.bins > 0 && plot.high > plot.low, "{} bins over [{}, {}]", plot.bins, plot.low, plot.high);
  const PlotFrame& frame = plot.frame;
  std::vector<std::vector<int64_t>> counts;
  int64_t most = 0;
  for (const auto& series : plot.series) {
    TENON_CHECK(series.counts.empty() || series.counts.size() == static_cast<size_t>(plot.bins));
    counts.push_back(series.counts.empty() ? CountBins(series.values, plot) : series.counts);
    most = std::max(most, *std::max_element(counts.back().begin(), counts.back().end()));
  }
  if (most == 0) return NoData(frame);
  const double bottom = frame.height - kBottom;
  PlotAxis x{.low = plot.low, .high = plot.high, .start = kLeft, .end = frame.width - kRight};
  const double top = kTop + MarkHeight(x, plot.marks);
  const PlotAxis y = PlotAxis::Over(0, static_cast<double>(most), kTicks, bottom, top);
  for (const double tick : NiceTicks(plot.low, plot.high, kTicks)) {
    if (tick >= plot.low - 1e-12 && tick <= plot.high + 1e-12) x.ticks.push_back(tick);
  }
  SvgCanvas canvas(frame, frame.height);
  canvas.YAxis(y, kLeft, frame.width - kRight, frame.y_title);
  canvas.XAxis(x, bottom, bottom, frame.x_title);
  const double bin = (x.end - x.start) / plot.bins, width = bin * 0.9 / static_cast<double>(counts.size());
  for (size_t s = 0; s < counts.size(); ++s) {
    for (int b = 0; b < plot.bins; ++b) {
      if (counts[s][b] == 0) continue;
      const double up = y.Pixel(static_cast<double>(counts[s][b]));
      canvas.Rect(x.start + bin * b + bin * 0.05 + width * static_cast<double>(s), up, width, bottom - up,
                  static_cast<int>(s), fmt::format("{}: {}", plot.series[s].name, counts[s][b]));
    }
    if (counts.size() == 1) break;  // the title says what it is
    const double legend = frame.width - kRight - 140.0 * static_cast<double>(counts.size() - s);
    canvas.Rect(legend, 38, 10, 10, static_cast<int>(s), plot.series[s].name);
    canvas.Text(legend + 16, 47, "start", plot.series[s].name);
  }
  canvas.Marks(x, plot.marks, top, bottom);
  return canvas.Finish();
}

}  // namespace tenon
