#include "cli/verify_html.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "cli/json_fields.h"
#include "cli/ship_attempt.h"
#include "cli/verify_charts.h"
#include "report/html_page.h"

namespace tenon::cli {
namespace {

using Json = nlohmann::ordered_json;
using Kind = HtmlCell::Kind;

std::string FileName(const std::string& path) { return std::filesystem::path(path).filename().string(); }

bool IsShip(const Json& report) { return Child(report, "attempts").is_array(); }
bool Passed(const Json& report) { return Child(report, "passed").is_boolean() && Child(report, "passed").get<bool>(); }

std::string Status(const Json& report) {
  if (IsShip(report)) return Passed(report) ? "shipped" : "nothing shipped";
  return Passed(report) ? "passed" : "not passed";
}

/// Names of the checks with this status, after these words; empty without any.
std::string Named(const Json& report, const std::string& status, const std::string& words) {
  std::string names;
  for (const Json& check : Child(report, "checks")) {
    if (TextField(check, "status") == status) names += (names.empty() ? words : ", ") + TextField(check, "name");
  }
  return names;
}

std::string VerdictText(const Json& report) {
  const std::string precision = TextField(report, "precision");
  return (precision.empty() ? "" : " in " + precision) + Named(report, "fail", "; failed: ") +
         Named(report, "not_judged", "; not judged: ");
}

std::string Summary(const Json& report) {
  const Json &map = FindCheck(report, "map"), &latency = FindCheck(report, "p95_latency");
  std::string text;
  if (Number(map, "engine"))
    text += fmt::format("mAP50-95 {}, source {}. ", NumberField(map, "engine", "{:.2f}", 100),
                        NumberField(map, "source", "{:.2f}", 100));
  if (Number(latency, "value")) {
    text += fmt::format("95% of the runs take at most {} ms", NumberField(latency, "value", "{:.2f}"));
    text +=
        Number(latency, "threshold") ? fmt::format(" of {} allowed.", NumberField(latency, "threshold", "{:g}")) : ".";
  }
  return text;
}

HtmlTable ChecksTable(const Json& report) {
  HtmlTable table{.caption = "Checks",
                  .head = {{"check", Kind::kName},
                           {"status", Kind::kStatus},
                           {"value", Kind::kFigure},
                           {"threshold", Kind::kFigure},
                           {"what was found"}},
                  .rows = {}};
  for (const Json& check : Child(report, "checks")) {
    std::string status = TextField(check, "status");
    std::replace(status.begin(), status.end(), '_', ' ');
    table.rows.push_back({{TextField(check, "name"), Kind::kName},
                          {status, Kind::kStatus},
                          {NumberField(check, "value"), Kind::kFigure},
                          {NumberField(check, "threshold"), Kind::kFigure},
                          {TextField(check, "detail")}});
  }
  return table;
}

HtmlTable AttemptsHtml(const Json& report) {
  HtmlTable table{.caption = "What was tried",
                  .head = {{"", Kind::kFigure},
                           {"precision", Kind::kName},
                           {"status", Kind::kStatus},
                           {"mAP50-95", Kind::kFigure},
                           {"drop", Kind::kFigure},
                           {"p95 ms", Kind::kFigure},
                           {"INT8 FLOPs", Kind::kFigure},
                           {"MB", Kind::kFigure},
                           {"seconds", Kind::kFigure},
                           {"how, and what came of it"}},
                  .rows = {}};
  for (const Json& attempt : Child(report, "attempts")) {
    std::string status = TextField(attempt, "status");
    std::replace(status.begin(), status.end(), '_', ' ');
    const std::string remedy = TextField(attempt, "remedy"), detail = TextField(attempt, "detail");
    table.rows.push_back(
        {{std::to_string(table.rows.size() + 1), Kind::kFigure},
         {TextField(attempt, "precision"), Kind::kName},
         {status, Kind::kStatus},
         {NumberField(attempt, "map50_95", "{:.2f}", 100), Kind::kFigure},
         {NumberField(attempt, "map_drop", "{:.2f}"), Kind::kFigure},
         {NumberField(attempt, "p95_ms", "{:.2f}"), Kind::kFigure},
         {NumberField(attempt, "int8_flops_share", "{:.1f}%", 100), Kind::kFigure},
         {NumberField(attempt, "size_bytes", "{:.1f}", 1e-6), Kind::kFigure},
         {NumberField(attempt, "seconds", "{:.1f}"), Kind::kFigure},
         {(remedy.empty() ? "" : remedy + ": ") + DescribeSettings(attempt) + (detail.empty() ? "" : ". " + detail)}});
  }
  return table;
}

HtmlTable LayersTable(const Json& layers) {
  HtmlTable table{.caption = "Layers",
                  .head = {{"step", Kind::kFigure},
                           {"op", Kind::kName},
                           {"precision", Kind::kName},
                           {"ms", Kind::kFigure},
                           {"name"}},
                  .rows = {}};
  for (const Json& layer : layers) {
    table.rows.push_back({{std::to_string(table.rows.size()), Kind::kFigure},
                          {TextField(layer, "op"), Kind::kName},
                          {TextField(layer, "precision"), Kind::kName},
                          {NumberField(layer, "ms", "{:.3f}"), Kind::kFigure},
                          {TextField(layer, "name")}});
  }
  return table;
}

std::string LoadText(const Json& report) {
  const Json& load = Child(FindCheck(report, "p95_latency"), "load");
  if (!Number(load, "load_average_end")) return "";
  return fmt::format("load average {}, other processes took {} of the CPU time",
                     NumberField(load, "load_average_end", "{:.1f}"),
                     NumberField(load, "others_share", "{:.0f}%", 100));
}

}  // namespace

std::string VerifyHtml(const Json& report) {
  const std::string engine = FileName(TextField(report, "engine")), source = FileName(TextField(report, "source"));
  HtmlPage page((engine.empty() ? source : engine) + ": " + Status(report));
  page.Verdict(Status(report), VerdictText(report));
  page.Paragraph(Summary(report));
  page.Charts(ReportCharts(report));
  if (IsShip(report)) {
    page.Heading("What was tried");
    page.Table(AttemptsHtml(report));
  }
  page.Heading("Checks");
  page.Table(ChecksTable(report));
  if (const Json& layers = Child(report, "layers"); layers.is_array() && !layers.empty()) {
    page.Heading("Layers");
    page.Folded(fmt::format("{} steps, in their order", layers.size()), LayersTable(layers));
  }
  page.Heading("Where it comes from");
  page.Facts({{"engine", TextField(report, "engine")},
              {"source", TextField(report, "source")},
              {"its digest", TextField(report, "source_digest")},
              {"data", TextField(report, "data")},
              {"images", fmt::format("{}, with {} labels", NumberField(report, "images", "{:.0f}"),
                                     NumberField(report, "instances", "{:.0f}"))},
              {"machine", TextField(report, "device")},
              {"threads", NumberField(report, "threads", "{:.0f}")},
              {"meanwhile", LoadText(report)},
              {"date", TextField(report, "date")},
              {"Tenon", TextField(report, "tenon")}});
  return page.Finish();
}

}  // namespace tenon::cli
