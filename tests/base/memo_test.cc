#include "base/memo.h"

#include <gtest/gtest.h>

#include <stdexcept>

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

}  // namespace
}  // namespace tenon
