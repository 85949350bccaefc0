#include "vision/names.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace tenon {
namespace {

using Names = std::vector<std::string>;

TEST(NamesTest, ReadsWhatExportersWrite) {
  EXPECT_EQ(ParseNames("{0: 'person', 1: 'traffic light'}"), (Names{"person", "traffic light"}));
  EXPECT_EQ(ParseNames(R"({0: "a'b", 1: 'c"d', 2: 'e\'f', 3: 'g\\h', 4: 'i,}'})"),
            (Names{"a'b", "c\"d", "e'f", "g\\h", "i,}"}));
  EXPECT_EQ(ParseNames(R"(['x', "y",])"), (Names{"x", "y"}));
  EXPECT_EQ(ParseNames(R"({"0": "x", "1": "y"})"), (Names{"x", "y"}));
  EXPECT_EQ(ParseNames(" { 1 : 'b' , 0 : 'a' } "), (Names{"a", "b"}));
  EXPECT_EQ(ParseNames("{0: 'Gabelstapler Ä', 1: '\\xe4\\u00e9\\U0001f600'}"), (Names{"Gabelstapler Ä", "äé😀"}));
  EXPECT_EQ(ParseNames("{2: 'c'}"), (Names{"class_0", "class_1", "c"}));
  EXPECT_EQ(ParseNames("{}"), Names{});
}

TEST(NamesTest, RefusesTheRest) {
  for (const char* text : {"", "x", "{", "{0", "{0:", "{0: 'a", "{0: 'a'", "{0: a}", "{'a': 'b'}", "{-1: 'a'}", "[1]",
                           "{0: 'a' 1: 'b'}", "{99999999999: 'a'}", "{2000000: 'a'}", "{0: '\\u12'}"}) {
    EXPECT_THROW(ParseNames(text), Error) << text;
  }
}

}  // namespace
}  // namespace tenon
