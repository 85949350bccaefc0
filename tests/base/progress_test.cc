#include "base/progress.h"

#include <gtest/gtest.h>

namespace tenon {
namespace {

std::string Bar(int columns, int64_t done = 12) {
  return ProgressText("val", "images", done, 40, 4, {.bar = true, .columns = columns});
}

TEST(ProgressTest, RateAndTimeLeft) {
  EXPECT_EQ(ProgressText("val", "images", 12, 40, 4, {}), "val: 12/40 images, 3.0 images/s, 0:09 left");
  EXPECT_EQ(ProgressText("val", "images", 1, 7201, 1, {}), "val: 1/7201 images, 1.0 images/s, 2:00:00 left");
  EXPECT_EQ(ProgressText("val", "images", 0, 40, 4, {}), "val: 0/40 images, 0.0 images/s, ? left");
}

TEST(ProgressTest, TheBarFillsUp) {
  EXPECT_EQ(Bar(200), "val [#######                 ] 12/40 images, 3.0 images/s, 0:09 left");
  EXPECT_EQ(Bar(200, 0).find('#'), std::string::npos);
  EXPECT_NE(Bar(200, 40).find("[########################]"), std::string::npos);
  EXPECT_NE(Bar(200, 50).find("[########################]"), std::string::npos) << "more done than announced";
}

TEST(ProgressTest, NeverWiderThanTheTerminal) {
  for (int columns = 1; columns <= 100; ++columns) EXPECT_LT(static_cast<int>(Bar(columns).size()), columns) << columns;
  EXPECT_EQ(Bar(54).substr(0, 10), "val [##   ");
  EXPECT_EQ(Bar(20), "val: 12/40 images, ");
}

}  // namespace
}  // namespace tenon
