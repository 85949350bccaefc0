#include <algorithm>
#include <cmath>

#include "report/svg_canvas.h"
#include "report/svg_plot.h"

namespace tenon {
namespace {

constexpr double kRowPitch = 26, kDot = 5, kEdge = 16, kAxisHeight = 52, kTitleHeight = 40, kLegendHeight = 18;
constexpr int kDotTicks = 4;

/// The lowest and highest of all dots and marks.
std::pair<double, double> Range(const DotPlot& plot) {
  double low = INFINITY, high = -INFINITY;
  const auto take = [&](double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  };
  for (const DotRow& row : plot.rows) std::for_each(row.values.begin(), row.values.end(), take);
  if (low > high) return {low, high};
  for (const PlotMark& mark : plot.marks) take(mark.value);
  const double wider = std::max(0.0, plot.least_span - (high - low)) / 2;
  return {low - wider, high + wider};
}

/// Dots of one row, the first series' on top.
void DrawRow(SvgCanvas& canvas, const DotPlot& plot, const DotRow& row, const PlotAxis& x, double y) {
  double first = INFINITY, last = -INFINITY;
  for (const double value : row.values) {
    if (!std::isfinite(value)) continue;
    first = std::min(first, x.Pixel(value));
    last = std::max(last, x.Pixel(value));
  }
  if (last > first) canvas.Line(first, y, last, y, "join");
  for (size_t s = row.values.size(); s-- > 0;) {
    if (!std::isfinite(row.values[s])) continue;
    const std::string name = s < plot.series.size() ? " (" + plot.series[s] + ")" : "";
    const std::string tooltip = fmt::format("{}{}: {:.6g}", row.label, name, row.values[s]);
    if (s == 0)
      canvas.Circle(x.Pixel(row.values[s]), y, kDot, 0, tooltip);
    else
      canvas.Ring(x.Pixel(row.values[s]), y, kDot, static_cast<int>(s), tooltip);
  }
}

void DrawLegend(SvgCanvas& canvas, const DotPlot& plot, double left, double y) {
  double x = left + kDot;
  for (size_t s = 0; s < plot.series.size(); ++s) {
    if (s == 0)
      canvas.Circle(x, y, kDot, 0, plot.series[s]);
    else
      canvas.Ring(x, y, kDot, static_cast<int>(s), plot.series[s]);
    canvas.Text(x + 10, y + 4, "start", plot.series[s]);
    x += LabelWidth(plot.series[s]) + 30;
  }
}

}  // namespace

std::string ToSvg(const DotPlot& plot) {
  const PlotFrame& frame = plot.frame;
  const auto [low, high] = Range(plot);
  if (low > high) {
    SvgCanvas canvas(frame, frame.height);
    canvas.Text(frame.width / 2.0, frame.height / 2.0, "middle", "no data");
    return canvas.Finish();
  }
  double labels = 0, texts = 0;
  for (const DotRow& row : plot.rows) {
    labels = std::max(labels, LabelWidth(row.label));
    texts = std::max(texts, LabelWidth(row.text));
  }
  const double left = std::min(labels + kEdge + 8, frame.width * 0.4);
  const double right = std::max(left + 60, frame.width - kEdge - texts - (texts > 0 ? 10 : 0));
  const PlotAxis x = PlotAxis::Over(low, high, kDotTicks, left + kDot, right - kDot);
  const double legend = plot.series.size() > 1 ? kLegendHeight : 0;
  const double top = kTitleHeight + legend + MarkHeight(x, plot.marks) + 4;
  const double bottom = top + kRowPitch * static_cast<double>(plot.rows.size());
  SvgCanvas canvas(frame, static_cast<int>(bottom + kAxisHeight));
  if (legend > 0) DrawLegend(canvas, plot, kEdge, kTitleHeight + 4);
  canvas.XAxis(x, top, bottom, frame.x_title);
  canvas.Marks(x, plot.marks, top, bottom);
  for (size_t i = 0; i < plot.rows.size(); ++i) {
    const DotRow& row = plot.rows[i];
    const double y = top + kRowPitch * (static_cast<double>(i) + 0.5);
    canvas.Text(left - 8, y + 4, "end", FitLabel(row.label, left - kEdge));
    DrawRow(canvas, plot, row, x, y);
    canvas.Text(right + 10, y + 4, "start", row.text);
  }
  return canvas.Finish();
}

}  // namespace tenon
