#include "quantize/findings.h"

#include <gtest/gtest.h>

#include "quantize/insert.h"

namespace tenon {
namespace {

TEST(MemoTest, MeasuresOnceForEachKey) {
  Memo<double> memo;
  int measured = 0;
  const auto measure = [&] { return 1.0 + measured++; };
  EXPECT_EQ(memo.Get("a", measure), 1);
  EXPECT_EQ(memo.Get("b", measure), 2);
  EXPECT_EQ(memo.Get("a", measure), 1);
  EXPECT_EQ(measured, 2);
}

TEST(MemoTest, WhatCanNotBeMeasuredIsNotKnown) {
  Memo<double> memo;
  EXPECT_THROW(memo.Get("a", []() -> double { throw std::runtime_error("interrupted"); }), std::runtime_error);
  EXPECT_EQ(memo.Get("a", [] { return 3.0; }), 3);
}

TEST(KeyOfTest, TellsOptionsApart) {
  const InsertOptions options{.calibrator = Calibrator::kMse, .int8 = {"a", "b"}};
  InsertOptions other = options;
  EXPECT_EQ(KeyOf(options), KeyOf(other));
  other.calibrator = Calibrator::kEntropy;
  EXPECT_NE(KeyOf(options), KeyOf(other));
  other = options;
  other.int8 = {"a"};
  EXPECT_NE(KeyOf(options), KeyOf(other));
  other.int8 = {"ab"};
  EXPECT_NE(KeyOf(options), KeyOf(other));
}

}  // namespace
}  // namespace tenon
