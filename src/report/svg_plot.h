#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tenon {

// Charts as stand-alone SVG text that a person can read and edit: one element per line, styles in one place, colours
// that follow the reader's light or dark scheme. The same text can stand inside an HTML page. Values that are not
// finite are left out; a chart without any says "no data".

/// What all charts have.
struct PlotFrame {
  std::string title, x_title, y_title;
  std::string description = {};   ///< for those who can't see the chart: what it shows, with the figures that matter
  int width = 640, height = 400;  ///< pixels
};

/// A line across a chart at one value of its x axis, with a label: a budget, a percentile.
struct PlotMark {
  double value = 0;
  std::string label;
};

struct ScatterPoint {
  double x = 0, y = 0;
  std::string label;
  int series = 0;  ///< chooses the colour
};
/// Points with labels beside them; both axes fit the points.
struct ScatterPlot {
  PlotFrame frame;
  std::vector<ScatterPoint> points;
  double least_y_span = 0;  ///< of the y axis: what differs by far less shall not look far apart
};
std::string ToSvg(const ScatterPlot& plot);

struct Bar {
  std::string label;
  double value = 0;
  std::string text;  ///< at the bar's end
  int series = 0;
};
/// Horizontal bars from 0, one below the other in the given order. Negative values are left out. Labels that take more
/// than two fifths of the width lose their beginning.
struct BarPlot {
  PlotFrame frame;  ///< y_title is not shown: the bars' labels stand there; the height grows with the bars
  std::vector<Bar> bars;
};
std::string ToSvg(const BarPlot& plot);

/// Counts of values in equal bins over [low, high], series beside each other.
struct HistogramPlot {
  struct Series {
    std::string name;
    std::vector<double> values;        ///< those outside go to the first and last bin
    std::vector<int64_t> counts = {};  ///< instead of values: what is in each of the bins
  };
  PlotFrame frame;
  double low = 0, high = 1;
  int bins = 20;
  std::vector<Series> series;
  std::vector<PlotMark> marks = {};  ///< those outside are left out
};
std::string ToSvg(const HistogramPlot& plot);

/// One row of a DotPlot: a dot for each series that has a value there, joined by a line.
struct DotRow {
  std::string label;
  std::vector<double> values;  ///< by series; not finite: no dot
  std::string text;            ///< at the right
};
/// Values compared row by row on one x axis that fits them (it need not start at 0). The first series' dots are full,
/// the others' are rings.
struct DotPlot {
  PlotFrame frame;                  ///< y_title is not shown; the height grows with the rows
  std::vector<std::string> series;  ///< names, for the legend; none is drawn for a single one
  std::vector<DotRow> rows;
  std::vector<PlotMark> marks;
  double least_span = 0;  ///< of the x axis: what differs by far less shall not look far apart
};
std::string ToSvg(const DotPlot& plot);

/// Text for XML content and attributes: markup characters as entities, what XML 1.0 or UTF-8 forbid as U+FFFD.
std::string EscapeXml(std::string_view text);

/// Round numbers (1, 2 or 5 times a power of ten apart) from at or below `low` to at or above `high`, about `count`.
std::vector<double> NiceTicks(double low, double high, int count);

}  // namespace tenon
