#include "cli/verify_html.h"

#include <fmt/format.h>

#include "report/svg_plot.h"

namespace tenon::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:60em;padding:0 1em}"
    "table{border-collapse:collapse;width:100%}td,th{padding:.4em .6em;text-align:left;vertical-align:top;"
    "border-bottom:1px solid #ccc}td.n{text-align:right;white-space:nowrap}"
    ".pass{color:#17692d}.fail{color:#b3261e;font-weight:bold}.not_judged{color:#666}";

std::string Cell(const Json& value) {
  if (value.is_number()) return fmt::format("{:.4g}", value.get<double>());
  return value.is_string() ? EscapeXml(value.get<std::string>()) : "";
}

std::string CheckRow(const Json& check) {
  return fmt::format(
      "<tr><td>{}</td><td class=\"{}\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>\n",
      Cell(check["name"]), Cell(check["status"]), Cell(check["status"]), Cell(check["value"]), Cell(check["threshold"]),
      Cell(check["detail"]));
}

}  // namespace

std::string VerifyHtml(const Json& report) {
  const bool passed = report.at("passed").get<bool>();
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta "
      "charset=\"utf-8\"><title>{}</title><style>{}</style></head><body>\n"
      "<h1>{}: <span class=\"{}\">{}</span></h1>\n<table>\n",
      Cell(report.at("engine")), kStyle, Cell(report.at("engine")), passed ? "pass" : "fail",
      passed ? "passed" : "not passed");
  html += "<tr><th>check</th><th>status</th><th>value</th><th>threshold</th><th></th></tr>\n";
  for (const Json& check : report.at("checks")) html += CheckRow(check);
  html += "</table>\n<table>\n";
  for (const char* key :
       {"precision", "device", "source", "source_digest", "data", "images", "instances", "date", "tenon"})
    html += fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", key, Cell(report.at(key)));
  return html + "</table>\n</body></html>\n";
}

}  // namespace tenon::cli
