#include "report/svg_canvas.h"

#include <algorithm>
#include <cmath>

namespace tenon {
namespace {

constexpr int kSeriesColours = 5;
constexpr double kLabelPixels = 6.6;  // of one character at 12 px, on average

// Colours by role: light first, then what changes in the dark.
constexpr const char* kStyle = R"(  <style>
    .tenon-plot { --paper: #ffffff; --ink: #1f2430; --faint: #6b7280; --grid: #e5e7eb;
                  --s0: #2563eb; --s1: #d97706; --s2: #059669; --s3: #7c3aed; --s4: #dc2626; }
    @media screen and (prefers-color-scheme: dark) {
      .tenon-plot { --paper: #14171f; --ink: #e6e8ee; --faint: #9aa3b2; --grid: #2b303c;
                    --s0: #60a5fa; --s1: #fbbf24; --s2: #34d399; --s3: #a78bfa; --s4: #f87171; }
    }
    .tenon-plot text { font: 12px system-ui, sans-serif; fill: var(--ink); }
    .tenon-plot .title { font-size: 15px; font-weight: 600; }
    .tenon-plot .tick { fill: var(--faint); font-size: 11px; }
    .tenon-plot .grid { stroke: var(--grid); }
    .tenon-plot .axis { stroke: var(--faint); }
    .tenon-plot .join { stroke: var(--faint); }
    .tenon-plot .mark { stroke: var(--ink); stroke-dasharray: 4 3; }
    .tenon-plot .note { fill: var(--ink); font-size: 11px; stroke: var(--paper); stroke-width: 4px; paint-order: stroke; }
    .tenon-plot .ring { fill: var(--paper); stroke-width: 2; stroke: currentColor; }
    .tenon-plot .r0 { color: var(--s0); } .tenon-plot .r1 { color: var(--s1); } .tenon-plot .r2 { color: var(--s2); }
    .tenon-plot .r3 { color: var(--s3); } .tenon-plot .r4 { color: var(--s4); }
    .tenon-plot .paper { fill: var(--paper); }
    .tenon-plot .s0 { fill: var(--s0); } .tenon-plot .s1 { fill: var(--s1); } .tenon-plot .s2 { fill: var(--s2); }
    .tenon-plot .s3 { fill: var(--s3); } .tenon-plot .s4 { fill: var(--s4); }
  </style>
)";

std::string Tooltip(const std::string& text) { return fmt::format("<title>{}</title>", EscapeXml(text)); }

constexpr double kMarkPitch = 15;

bool Within(const PlotAxis& axis, const PlotMark& mark) { return mark.value >= axis.low && mark.value <= axis.high; }

int Colour(int series) { return (series % kSeriesColours + kSeriesColours) % kSeriesColours; }

}  // namespace

double LabelWidth(const std::string& text) {
  const auto characters = std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; });
  return kLabelPixels * static_cast<double>(characters);
}

std::string FitLabel(const std::string& text, double pixels) {
  std::string rest = text;
  while (!rest.empty() && LabelWidth("…" + rest) > pixels) {
    do rest.erase(0, 1);
    while (!rest.empty() && (rest[0] & 0xc0) == 0x80);
  }
  return rest.size() == text.size() || LabelWidth(text) <= pixels ? text : "…" + rest;
}

double MarkHeight(const PlotAxis& axis, const std::vector<PlotMark>& marks) {
  return kMarkPitch * static_cast<double>(std::count_if(marks.begin(), marks.end(),
                                                        [&](const PlotMark& mark) { return Within(axis, mark); }));
}

std::string TickText(double value, double step) {
  const int decimals = step >= 1 ? 0 : std::min(9, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  if (std::abs(value) < step / 2) value = 0;  // no "-0"
  return fmt::format("{:.{}f}", value, decimals);
}

std::vector<double> NiceTicks(double low, double high, int count) {
  if (!(high > low)) {
    const double room = std::max(std::abs(low) / 10, 1e-3);
    low -= room;
    high += room;
  }
  const double rough = (high - low) / std::max(count, 1);
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double ratio = rough / power;
  const double step = power * (ratio <= 1 ? 1 : ratio <= 2 ? 2 : ratio <= 5 ? 5 : 10);
  const double first = std::floor(low / step + 1e-9), last = std::ceil(high / step - 1e-9);
  std::vector<double> ticks;
  for (double i = first; i <= last; ++i) ticks.push_back(i * step);
  return ticks;
}

PlotAxis PlotAxis::Over(double low, double high, int ticks, double start, double end) {
  PlotAxis axis{.start = start, .end = end, .ticks = NiceTicks(low, high, ticks)};
  axis.low = axis.ticks.front();
  axis.high = axis.ticks.back();
  return axis;
}

SvgCanvas::SvgCanvas(const PlotFrame& frame, int height) {
  text_ = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"tenon-plot\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" role=\"img\">\n  <title>{2}</title>\n",
      frame.width, height, EscapeXml(frame.title));
  if (!frame.description.empty()) text_ += fmt::format("  <desc>{}</desc>\n", EscapeXml(frame.description));
  text_ += kStyle;
  text_ += "  <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n";
  Text(frame.width / 2.0, 24, "middle", frame.title, "title");
}

void SvgCanvas::Line(double x1, double y1, double x2, double y2, const char* style) {
  text_ += fmt::format("  <line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", style, x1,
                       y1, x2, y2);
}

void SvgCanvas::Rect(double x, double y, double width, double height, int series, const std::string& tooltip) {
  text_ += fmt::format(
      "  <rect class=\"s{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"2\">{}</rect>\n",
      Colour(series), x, y, width, height, Tooltip(tooltip));
}

void SvgCanvas::Circle(double x, double y, double radius, int series, const std::string& tooltip) {
  text_ += fmt::format("  <circle class=\"s{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\">{}</circle>\n", Colour(series),
                       x, y, radius, Tooltip(tooltip));
}

void SvgCanvas::Ring(double x, double y, double radius, int series, const std::string& tooltip) {
  text_ += fmt::format("  <circle class=\"ring r{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\">{}</circle>\n",
                       Colour(series), x, y, radius, Tooltip(tooltip));
}

void SvgCanvas::Marks(const PlotAxis& axis, const std::vector<PlotMark>& marks, double top, double bottom) {
  double y = top - MarkHeight(axis, marks) + kMarkPitch - 4;
  for (const PlotMark& mark : marks) {
    if (!Within(axis, mark)) continue;
    const double x = axis.Pixel(mark.value);
    const bool to_the_left = x > (axis.start + axis.end) / 2;
    Line(x, y - 9, x, bottom, "mark");
    Text(to_the_left ? x - 4 : x + 4, y, to_the_left ? "end" : "start", mark.label, "note");
    y += kMarkPitch;
  }
}

void SvgCanvas::Text(double x, double y, const char* anchor, const std::string& text, const char* style) {
  text_ += fmt::format("  <text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", style, x, y,
                       anchor, EscapeXml(text));
}

void SvgCanvas::XAxis(const PlotAxis& axis, double top, double bottom, const std::string& title) {
  const double step = axis.ticks.size() > 1 ? axis.ticks[1] - axis.ticks[0] : 1;
  for (const double tick : axis.ticks) {
    Line(axis.Pixel(tick), top, axis.Pixel(tick), bottom, "grid");
    Text(axis.Pixel(tick), bottom + 16, "middle", TickText(tick, step), "tick");
  }
  Line(axis.start, bottom, axis.end, bottom, "axis");
  Text((axis.start + axis.end) / 2, bottom + 36, "middle", title);
}

void SvgCanvas::YAxis(const PlotAxis& axis, double left, double right, const std::string& title) {
  const double step = axis.ticks.size() > 1 ? axis.ticks[1] - axis.ticks[0] : 1;
  for (const double tick : axis.ticks) {
    Line(left, axis.Pixel(tick), right, axis.Pixel(tick), "grid");
    Text(left - 8, axis.Pixel(tick) + 4, "end", TickText(tick, step), "tick");
  }
  Line(left, axis.start, left, axis.end, "axis");
  Text(left, axis.end - 10, "middle", title);  // above the axis: no turned text
}

std::string SvgCanvas::Finish() { return text_ + "</svg>\n"; }

}  // namespace tenon
