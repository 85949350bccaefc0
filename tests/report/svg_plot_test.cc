#include "report/svg_plot.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <regex>

#include "base/error.h"

namespace tenon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

int Count(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  return static_cast<int>(std::distance(std::sregex_iterator(text.begin(), text.end(), regex), std::sregex_iterator()));
}

std::vector<double> Attributes(const std::string& svg, const std::string& element, const std::string& name) {
  const std::regex regex("<" + element + " [^>]*\\b" + name + "=\"([0-9.-]+)\"");
  std::vector<double> values;
  for (std::sregex_iterator i(svg.begin(), svg.end(), regex), end; i != end; ++i) values.push_back(std::stod((*i)[1]));
  return values;
}

/// Every element is closed in the order in which it was opened: what any XML parser checks first.
void ExpectWellFormed(const std::string& svg) {
  std::vector<std::string> open;
  const std::regex tag("<(/?)([a-z]+)[^>]*?(/?)>");
  for (std::sregex_iterator i(svg.begin(), svg.end(), tag), end; i != end; ++i) {
    if ((*i)[3] == "/") continue;
    if ((*i)[1] != "/") {
      open.push_back((*i)[2]);
      continue;
    }
    ASSERT_FALSE(open.empty()) << svg;
    EXPECT_EQ(open.back(), (*i)[2]);
    open.pop_back();
  }
  EXPECT_TRUE(open.empty());
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf\""), std::string::npos);
}

TEST(EscapeXmlTest, MarkupAndWhatXmlForbids) {
  EXPECT_EQ(EscapeXml("a<b>&\"c\"'"), "a&lt;b&gt;&amp;&quot;c&quot;&#39;");
  EXPECT_EQ(EscapeXml("tab\tline\n"), "tab\tline\n");
  const std::string bad = "\xef\xbf\xbd";
  EXPECT_EQ(EscapeXml(std::string_view("\x01z\0y", 4)), bad + "z" + bad + "y");
  EXPECT_EQ(EscapeXml("Grüße 猫 🚜"), "Grüße 猫 🚜");
  EXPECT_EQ(EscapeXml("\xff"), bad);
  EXPECT_EQ(EscapeXml("\xc3"), bad) << "cut";
  EXPECT_EQ(EscapeXml("\xc0\xaf"), bad + bad) << "overlong";
  EXPECT_EQ(EscapeXml("\xed\xa0\x80"), bad) << "half of a surrogate pair";
}

TEST(NiceTicksTest, RoundNumbersAround) {
  EXPECT_THAT(NiceTicks(0, 10, 5), ElementsAre(0, 2, 4, 6, 8, 10));
  EXPECT_THAT(NiceTicks(3, 47, 5), ElementsAre(0, 10, 20, 30, 40, 50));
  EXPECT_THAT(NiceTicks(-1, 1, 4), ElementsAre(-1, -0.5, 0, 0.5, 1));
  EXPECT_GE(NiceTicks(5, 5, 5).size(), 2u) << "one value needs room too";
  EXPECT_GE(NiceTicks(0, 0, 5).size(), 2u);
}

ScatterPlot TwoPoints() {
  return {.frame = {.title = "mAP <over> latency", .x_title = "ms", .y_title = "mAP"},
          .points = {{23, 0.378, "half & fast", 0}, {46, 0.379, "fp32", 1}}};
}

TEST(ScatterTest, PointsLieWhereTheirValuesAre) {
  const std::string svg = ToSvg(TwoPoints());
  ExpectWellFormed(svg);
  EXPECT_THAT(svg, HasSubstr("mAP &lt;over&gt; latency"));
  EXPECT_THAT(svg, HasSubstr(">half &amp; fast</text>"));
  EXPECT_THAT(svg, HasSubstr("prefers-color-scheme: dark"));
  const auto x = Attributes(svg, "circle", "cx"), y = Attributes(svg, "circle", "cy");
  ASSERT_EQ(x.size(), 2u);
  EXPECT_LT(x[0], x[1]);
  EXPECT_GT(y[0], y[1]) << "higher values stand higher";
  for (const double v : x) EXPECT_TRUE(v > 0 && v < 640);
  for (const double v : y) EXPECT_TRUE(v > 0 && v < 400);
}

TEST(ScatterTest, SmallDifferencesStaySmall) {
  ScatterPlot plot = TwoPoints();
  plot.least_y_span = 0.1;
  const auto y = Attributes(ToSvg(plot), "circle", "cy");
  EXPECT_NEAR(y[0], y[1], 5);  // 0.001 of 0.1 over some 280 pixels
  EXPECT_GT(y[0], y[1]);
}

TEST(ScatterTest, LabelsOfEqualPointsDoNotLieOnEachOther) {
  ScatterPlot plot = TwoPoints();
  plot.points[1] = plot.points[0];
  const std::string svg = ToSvg(plot);
  const std::regex label("<text class=\"label\" (x=\"[^\"]+\" y=\"[^\"]+\" text-anchor=\"[a-z]+\")>half");
  std::vector<std::string> places;
  for (std::sregex_iterator i(svg.begin(), svg.end(), label), end; i != end; ++i) places.push_back((*i)[1]);
  ASSERT_EQ(places.size(), 2u);
  EXPECT_NE(places[0], places[1]);
}

TEST(ScatterTest, WhatIsNotFiniteIsLeftOut) {
  ScatterPlot plot = TwoPoints();
  plot.points[0].y = std::nan("");
  EXPECT_EQ(Count(ToSvg(plot), "<circle"), 1);
  plot.points[1].x = std::numeric_limits<double>::infinity();
  const std::string svg = ToSvg(plot);
  ExpectWellFormed(svg);
  EXPECT_THAT(svg, HasSubstr("no data"));
}

TEST(BarTest, LengthsAreProportional) {
  BarPlot plot{.frame = {.title = "latency", .x_title = "ms"},
               .bars = {{"half", 20, "20 ms", 0}, {"fp32", 40, "40 ms", 0}, {"broken", -1, "", 0}}};
  const std::string svg = ToSvg(plot);
  ExpectWellFormed(svg);
  auto widths = Attributes(svg, "rect", "width");
  ASSERT_EQ(widths.size(), 2u);  // the paper's width is 100%
  EXPECT_NEAR(widths[1], 2 * widths[0], 0.2);
  EXPECT_THAT(svg, HasSubstr(">40 ms</text>"));
  EXPECT_THAT(svg, Not(HasSubstr("broken")));
  EXPECT_THAT(ToSvg(BarPlot{}), HasSubstr("no data"));
  plot.bars = {{"nothing", 0, "0", 0}};
  ExpectWellFormed(ToSvg(plot));
}

TEST(HistogramTest, CountsStandInTheirBins) {
  const HistogramPlot plot{.frame = {.title = "scores", .x_title = "score", .y_title = "boxes"},
                           .low = 0,
                           .high = 1,
                           .bins = 4,
                           .series = {{"source", {0.1, 0.1, 0.6, 5, -5, std::nan("")}}, {"engine", {0.9}}}};
  const std::string svg = ToSvg(plot);
  ExpectWellFormed(svg);
  // 0.1, 0.1 and -5 in the first bin, 0.6 in the third, 5 in the last; the engine's 0.9 in the last.
  EXPECT_THAT(svg, HasSubstr("<title>source: 3</title>"));
  EXPECT_EQ(Count(svg, "<title>source: 1</title>"), 2);
  EXPECT_EQ(Count(svg, "<title>engine: 1</title>"), 1);
  EXPECT_THAT(ToSvg(HistogramPlot{.series = {{"none", {}}}}), HasSubstr("no data"));
  EXPECT_THROW(ToSvg(HistogramPlot{.low = 1, .high = 1}), Error);
}

TEST(HistogramTest, CountsMayBeGivenAndMarksStandWhereTheyAre) {
  const HistogramPlot plot{.frame = {.title = "runs", .x_title = "ms", .y_title = "runs", .description = "a < b"},
                           .low = 0,
                           .high = 4,
                           .bins = 2,
                           .series = {{"runs", {}, {3, 1}}},
                           .marks = {{1, "p50"}, {3, "budget"}, {9, "outside"}}};
  const std::string svg = ToSvg(plot);
  ExpectWellFormed(svg);
  EXPECT_THAT(svg, HasSubstr("<title>runs: 3</title>"));
  EXPECT_THAT(svg, HasSubstr("<desc>a &lt; b</desc>"));
  EXPECT_THAT(svg, Not(HasSubstr("outside")));
  const auto bars = Attributes(svg, "rect", "x"), marks = Attributes(svg, "line class=\"mark\"", "x1");
  ASSERT_EQ(marks.size(), 2u);
  ASSERT_EQ(bars.size(), 2u);
  EXPECT_GT(marks[0], bars[0]);
  EXPECT_LT(marks[0], bars[1]) << "1 of 4 lies in the first of two bins";
  EXPECT_GT(marks[1], bars[1]);
}

DotPlot TwoClasses() {
  return {.frame = {.title = "AP", .x_title = "points", .y_title = "", .width = 380},
          .series = {"engine", "source"},
          .rows = {{"forklift", {70, 75}, "70.0"},
                   {"a name <that> is far too long for a phone", {50, std::nan("")}, "50.0"}},
          .marks = {{60, "budget"}}};
}

TEST(DotTest, DotsLieWhereTheirValuesAre) {
  const std::string svg = ToSvg(TwoClasses());
  ExpectWellFormed(svg);
  EXPECT_EQ(Count(svg, "class=\"join\""), 1) << "one row has both";
  EXPECT_THAT(svg, HasSubstr(">source</text>"));
  EXPECT_THAT(svg, HasSubstr("…")) << "the long name is cut, at its beginning";
  EXPECT_THAT(svg, HasSubstr("for a phone</text>"));
  EXPECT_THAT(svg, Not(HasSubstr("<that>")));
  const auto mark = Attributes(svg, "line class=\"mark\"", "x1");
  ASSERT_EQ(mark.size(), 1u);
  std::vector<double> full = Attributes(svg, "circle class=\"s0\"", "cx");
  full.erase(full.begin());  // the legend's
  ASSERT_EQ(full.size(), 2u);
  EXPECT_GT(full[0], mark[0]);
  EXPECT_LT(full[1], mark[0]);
  for (const double x : full) EXPECT_TRUE(x > 0 && x < 380);
}

TEST(DotTest, NoDataIsSaid) {
  EXPECT_THAT(ToSvg(DotPlot{}), HasSubstr("no data"));
  DotPlot one = TwoClasses();
  one.rows = {{"only", {5, 5}, ""}};
  one.marks.clear();
  ExpectWellFormed(ToSvg(one));
}

}  // namespace
}  // namespace tenon
