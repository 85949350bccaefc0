#include "report/html_page.h"

#include <fmt/format.h>

#include "report/svg_plot.h"

namespace tenon {
namespace {

// The charts bring styles of their own (svg_canvas.cc), with the same colours.
constexpr const char* kStyle = R"(
:root { --paper: #ffffff; --ink: #1f2430; --faint: #5b6472; --line: #d9dde4; --good: #17692d; --bad: #b3261e; color-scheme: light; }
@media screen and (prefers-color-scheme: dark) {
  :root { --paper: #14171f; --ink: #e6e8ee; --faint: #9aa3b2; --line: #2f3542; --good: #6fd58a; --bad: #ff8a80; color-scheme: dark; }
}
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; background: var(--paper); color: var(--ink); max-width: 70rem; margin: 0 auto;
       padding: 1rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { margin: .5rem 0; overflow-wrap: anywhere; }
.verdict { font-size: 1.1rem; }
.pass { color: var(--good); font-weight: 600; }
.fail { color: var(--bad); font-weight: 600; }
.open { color: var(--faint); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
th, td { padding: .35rem .6rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { color: var(--faint); font-weight: 600; white-space: nowrap; }
td.figure, th.figure { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td.name, td.status { white-space: nowrap; }
td.text { min-width: 22rem; overflow-wrap: anywhere; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr)); gap: 1rem; align-items: start; }
.charts svg { width: 100%; height: auto; }
.charts div { border: 1px solid var(--line); border-radius: 6px; overflow: hidden; }
dl { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: .25rem 1rem; margin: 0; }
dt { color: var(--faint); }
dd { margin: 0; overflow-wrap: anywhere; }
summary { cursor: pointer; padding: .35rem 0; }
@media print {
  body { max-width: none; padding: 0; font-size: 11pt; }
  .scroll { overflow: visible; }
  tr, .charts div { break-inside: avoid; }
  h2 { break-after: avoid; }
}
)";

const char* ClassOf(HtmlCell::Kind kind) {
  switch (kind) {
    case HtmlCell::Kind::kFigure:
      return "figure";
    case HtmlCell::Kind::kName:
      return "name";
    case HtmlCell::Kind::kStatus:
      return "status";
    default:
      return "text";
  }
}

std::string RowMarkup(const char* tag, const std::vector<HtmlCell>& cells) {
  std::string row = "<tr>";
  for (const HtmlCell& cell : cells) {
    const bool status = cell.kind == HtmlCell::Kind::kStatus && std::string_view(tag) == "td";
    row += fmt::format("<{0} class=\"{1}\">{2}</{0}>", tag, ClassOf(cell.kind),
                       status ? StatusMarkup(cell.text) : EscapeXml(cell.text));
  }
  return row + "</tr>\n";
}

}  // namespace

std::string StatusMarkup(const std::string& status) {
  struct Sign {
    const char *status, *style, *sign;
  };
  constexpr Sign kSigns[] = {{"pass", "pass", "✓"},
                             {"passed", "pass", "✓"},
                             {"shipped", "pass", "✓"},
                             {"fail", "fail", "✗"},
                             {"failed", "fail", "✗"},
                             {"not passed", "fail", "✗"},
                             {"nothing shipped", "fail", "✗"},
                             {"not judged", "open", "–"},
                             {"not built", "open", "–"}};
  for (const Sign& sign : kSigns) {
    if (status == sign.status) return fmt::format("<span class=\"{}\">{} {}</span>", sign.style, sign.sign, status);
  }
  return EscapeXml(status);
}

std::string ToHtml(const HtmlTable& table) {
  std::string html = "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"" + EscapeXml(table.caption) +
                     "\">\n<table><caption>" + EscapeXml(table.caption) + "</caption>\n<thead>" +
                     RowMarkup("th", table.head) + "</thead>\n<tbody>\n";
  for (const auto& row : table.rows) html += RowMarkup("td", row);
  return html + "</tbody></table>\n</div>\n";
}

HtmlPage::HtmlPage(const std::string& title)
    : text_(
          fmt::format("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<meta name=\"viewport\" "
                      "content=\"width=device-width, initial-scale=1\"/>\n<title>{0}</title>\n<style>{1}</style>\n"
                      "</head>\n<body>\n<main>\n<h1>{0}</h1>\n",
                      EscapeXml(title), kStyle)) {}

void HtmlPage::Verdict(const std::string& status, const std::string& text) {
  text_ += fmt::format("<p class=\"verdict\">{}{}</p>\n", StatusMarkup(status), EscapeXml(text));
}

void HtmlPage::Heading(const std::string& text) { text_ += fmt::format("<h2>{}</h2>\n", EscapeXml(text)); }

void HtmlPage::Paragraph(const std::string& text) { text_ += fmt::format("<p>{}</p>\n", EscapeXml(text)); }

void HtmlPage::Table(const HtmlTable& table) { text_ += ToHtml(table); }

void HtmlPage::Charts(const std::vector<std::string>& svgs) {
  if (svgs.empty()) return;
  text_ += "<div class=\"charts\">\n";
  for (const std::string& svg : svgs) text_ += "<div>" + svg + "</div>\n";
  text_ += "</div>\n";
}

void HtmlPage::Folded(const std::string& summary, const HtmlTable& table) {
  text_ += fmt::format("<details>\n<summary>{}</summary>\n{}</details>\n", EscapeXml(summary), ToHtml(table));
}

void HtmlPage::Facts(const std::vector<std::pair<std::string, std::string>>& facts) {
  text_ += "<dl>\n";
  for (const auto& [name, value] : facts) {
    if (!value.empty()) text_ += fmt::format("<dt>{}</dt><dd>{}</dd>\n", EscapeXml(name), EscapeXml(value));
  }
  text_ += "</dl>\n";
}

std::string HtmlPage::Finish() { return text_ + "</main>\n</body>\n</html>\n"; }

}  // namespace tenon
