#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "verify/latency.h"

namespace tenon::cli {

/// One row of the table: a model in one format and precision, or why there is none.
struct BenchmarkRow {
  std::string format;  ///< "tenon", "onnxruntime"
  std::string precision;
  std::string error;  ///< empty: the row is good
  double size_bytes = 0;
  std::optional<double> map50_95;  ///< 0 to 1
  LatencyStats latency;            ///< milliseconds
  double fps = 0;                  ///< images per second at the median

  bool ok() const { return error.empty(); }
  std::string name() const { return format + " " + precision; }
};

/// "rows" of the JSON.
nlohmann::ordered_json BenchmarkJson(const std::vector<BenchmarkRow>& rows);
std::string BenchmarkTable(const std::vector<BenchmarkRow>& rows);
/// mAP over latency where rows have mAP, else bars of the latencies; SVG text.
std::string BenchmarkPlot(const std::vector<BenchmarkRow>& rows, const std::string& title);

}  // namespace tenon::cli
