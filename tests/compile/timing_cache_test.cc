#include "compile/timing_cache.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace tenon {
namespace {

TEST(TimingCacheTest, TextRoundTrips) {
  TimingCache cache;
  cache.Insert(HashString("a"), {"conv_direct", "v4 p5 rb4", "Conv f32[1,3,8,8]", 12.3});
  cache.Insert(HashString("b"), {"reference", "", "NonZero", 1});
  const TimingCache again = TimingCache::Parse(cache.ToText(), "test");
  EXPECT_EQ(again.ToText(), cache.ToText());
  ASSERT_NE(again.Find(HashString("a")), nullptr);
  EXPECT_EQ(again.Find(HashString("a"))->tactic, "v4 p5 rb4");
  EXPECT_EQ(again.Find(HashString("b"))->tactic, "");
  EXPECT_EQ(again.Find(HashString("c")), nullptr);
}

TEST(TimingCacheTest, AnAbsentFileIsEmptyAndABadOneIsNamed) {
  EXPECT_EQ(TimingCache::Load("/nonexistent/x.timing").size(), 0u);
  for (const char* text : {"", "hello", "tenon timing cache 1\nabc 1 f t\n",
                           "tenon timing cache 1\n00000000000000000000000000000000 x f t\n"}) {
    try {
      TimingCache::Parse(text, "my.timing");
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("my.timing"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace tenon
