#pragma once
#include <string>
#include <vector>

namespace tenon {

// Pages of reports: one self-contained file without scripts or references, readable on a phone, on paper, in light and
// dark. The text is well-formed XML too. All text is escaped here; what is called markup is put in as it is.

/// A cell of a table; figures stand at the right, in digits of one width.
struct HtmlCell {
  std::string text;
  enum class Kind { kText, kFigure, kName, kStatus } kind = Kind::kText;
};

struct HtmlTable {
  std::string caption;  ///< for those who can't see it; not shown
  std::vector<HtmlCell> head;
  std::vector<std::vector<HtmlCell>> rows;
};

/// A status with a sign before it, so that colour is not all that tells: "pass", "fail" and the like; others plain.
std::string StatusMarkup(const std::string& status);
/// Scrolls by itself where the page is narrower.
std::string ToHtml(const HtmlTable& table);

/// Builds a page from top to bottom.
class HtmlPage {
 public:
  explicit HtmlPage(const std::string& title);

  /// The first thing read: what came of it. @param status as in StatusMarkup
  void Verdict(const std::string& status, const std::string& text);
  void Heading(const std::string& text);
  void Paragraph(const std::string& text);
  void Table(const HtmlTable& table);
  /// Charts beside each other where there is room. @param svgs text of ToSvg
  void Charts(const std::vector<std::string>& svgs);
  /// A table that opens at a click.
  void Folded(const std::string& summary, const HtmlTable& table);
  /// Names and what they stand for; pairs without the latter are left out.
  void Facts(const std::vector<std::pair<std::string, std::string>>& facts);
  std::string Finish();

 private:
  std::string text_;
};

}  // namespace tenon
