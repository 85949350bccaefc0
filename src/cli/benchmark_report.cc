#include "cli/benchmark_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/svg_plot.h"

namespace tenon::cli {

nlohmann::ordered_json BenchmarkJson(const std::vector<BenchmarkRow>& rows) {
  using Json = nlohmann::ordered_json;
  Json list = Json::array();
  for (const BenchmarkRow& row : rows) {
    Json json = {{"format", row.format}, {"precision", row.precision}, {"status", row.ok() ? "ok" : "failed"}};
    if (row.ok()) {
      const LatencyStats& latency = row.latency;
      json["size_mb"] = row.size_bytes / 1e6;
      json["map50_95"] = row.map50_95 ? Json(*row.map50_95) : Json();
      json["latency_ms"] = {
          {"median", latency.median}, {"p95", latency.p95}, {"p99", latency.p99}, {"min", latency.min}};
      json["fps"] = row.fps;
      json["runs"] = latency.runs;
    } else {
      json["error"] = row.error;
    }
    list.push_back(std::move(json));
  }
  return list;
}

std::string BenchmarkTable(const std::vector<BenchmarkRow>& rows) {
  std::string text = fmt::format("{:<12} {:<9} {:<7} {:>8} {:>9} {:>10} {:>9} {:>9} {:>9} {:>8}\n", "format",
                                 "precision", "status", "size MB", "mAP50-95", "median ms", "p95", "p99", "min", "FPS");
  for (const BenchmarkRow& row : rows) {
    text += fmt::format("{:<12} {:<9} ", row.format, row.precision);
    if (!row.ok()) {
      text += fmt::format("failed: {}\n", row.error);
      continue;
    }
    text += fmt::format("{:<7} {:>8.1f} {:>9} {:>10.3f} {:>9.3f} {:>9.3f} {:>9.3f} {:>8.1f}\n", "ok",
                        row.size_bytes / 1e6, row.map50_95 ? fmt::format("{:.4f}", *row.map50_95) : "-",
                        row.latency.median, row.latency.p95, row.latency.p99, row.latency.min, row.fps);
  }
  return text;
}

std::string BenchmarkPlot(const std::vector<BenchmarkRow>& rows, const std::string& title) {
  const auto series = [](const BenchmarkRow& row) { return row.format == "tenon" ? 0 : 1; };
  const bool with_map = std::any_of(rows.begin(), rows.end(), [](const auto& row) { return row.map50_95.has_value(); });
  if (!with_map) {
    BarPlot plot{.frame = {.title = title, .x_title = "median latency, ms", .y_title = {}}, .bars = {}};
    for (const BenchmarkRow& row : rows) {
      if (row.ok())
        plot.bars.push_back(
            {row.name(), row.latency.median, fmt::format("{:.2f} ms", row.latency.median), series(row)});
    }
    return ToSvg(plot);
  }
  ScatterPlot plot{.frame = {.title = title, .x_title = "median latency, ms", .y_title = "mAP50-95"},
                   .points = {},
                   .least_y_span = 0.02};  // verify allows 0.005
  for (const BenchmarkRow& row : rows) {
    if (row.ok() && row.map50_95) plot.points.push_back({row.latency.median, *row.map50_95, row.name(), series(row)});
  }
  return ToSvg(plot);
}

}  // namespace tenon::cli
