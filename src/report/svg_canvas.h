#pragma once
#include <fmt/format.h>

#include <string>
#include <vector>

#include "report/svg_plot.h"

namespace tenon {

/// A straight axis: values to pixels.
struct PlotAxis {
  double low = 0, high = 1;   ///< values
  double start = 0, end = 1;  ///< pixels
  std::vector<double> ticks;

  /// An axis over round numbers around [low, high].
  static PlotAxis Over(double low, double high, int ticks, double start, double end);
  double Pixel(double value) const { return start + (value - low) / (high - low) * (end - start); }
};

/// The SVG text of one chart, written element by element. Coordinates in pixels from the top left.
class SvgCanvas {
 public:
  SvgCanvas(const PlotFrame& frame, int height);

  void Line(double x1, double y1, double x2, double y2, const char* style);
  void Rect(double x, double y, double width, double height, int series, const std::string& tooltip);
  void Circle(double x, double y, double radius, int series, const std::string& tooltip);
  /// A circle that is not filled.
  void Ring(double x, double y, double radius, int series, const std::string& tooltip);
  /// Dashed lines from `top` to `bottom`, their labels one below the other in the MarkHeight over `top`. Marks outside
  /// the axis are left out.
  void Marks(const PlotAxis& axis, const std::vector<PlotMark>& marks, double top, double bottom);
  /// @param anchor "start", "middle" or "end"
  void Text(double x, double y, const char* anchor, const std::string& text, const char* style = "label");
  void XAxis(const PlotAxis& axis, double top, double bottom, const std::string& title);
  void YAxis(const PlotAxis& axis, double left, double right, const std::string& title);
  std::string Finish();

 private:
  std::string text_;
};

/// Width of a label in pixels, about.
double LabelWidth(const std::string& text);
/// The label, without its beginning where it would be wider than that.
std::string FitLabel(const std::string& text, double pixels);
/// Pixels above a chart that the labels of its marks take.
double MarkHeight(const PlotAxis& axis, const std::vector<PlotMark>& marks);
/// A tick's number with as many decimals as its neighbours' distance needs.
std::string TickText(double value, double step);

}  // namespace tenon
