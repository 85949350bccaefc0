#include "report/html_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tenon {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(HtmlPage, AllTextIsEscaped) {
  const std::string bad = "<script>\"&'", good = "&lt;script&gt;&quot;&amp;&#39;";
  HtmlPage page(bad);
  page.Verdict("pass", bad);
  page.Heading(bad);
  page.Paragraph(bad);
  page.Facts({{bad, bad}, {"nothing", ""}});
  const HtmlTable table{.caption = bad, .head = {{bad}}, .rows = {{{bad}}, {{bad, HtmlCell::Kind::kStatus}}}};
  page.Table(table);
  page.Folded(bad, table);
  const std::string html = page.Finish();
  EXPECT_THAT(html, Not(HasSubstr("<script>")));
  size_t count = 0;
  for (size_t at = html.find(good); at != std::string::npos; at = html.find(good, at + 1)) ++count;
  EXPECT_EQ(count, 2 + 1 + 1 + 1 + 2 + 5 + 5 + 1u);
  EXPECT_THAT(html, Not(HasSubstr("nothing")));
}

TEST(HtmlPage, FitsPhonesPaperAndTheDark) {
  HtmlPage page("engine");
  const std::string html = page.Finish();
  EXPECT_THAT(html, HasSubstr("name=\"viewport\""));
  EXPECT_THAT(html, HasSubstr("prefers-color-scheme: dark"));
  EXPECT_THAT(html, HasSubstr("@media print"));
  for (const char* reference : {"http", "src=", "href=", "url(", "@import", "<script"})
    EXPECT_THAT(html, Not(HasSubstr(reference)));
}

TEST(HtmlPage, StatusIsToldBySignsToo) {
  EXPECT_THAT(StatusMarkup("pass"), HasSubstr("✓ pass"));
  EXPECT_THAT(StatusMarkup("fail"), HasSubstr("✗ fail"));
  EXPECT_EQ(StatusMarkup("a<b"), "a&lt;b");
}

}  // namespace
}  // namespace tenon
