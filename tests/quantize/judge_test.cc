#include "quantize/judge.h"

#include <gtest/gtest.h>

namespace tenon {
namespace {

/// A drop of `seen` points with this standard error.
Verdict Seen(double seen, double error) {
  return {.map_float = 50, .map_int8 = 50 - seen, .drop = {seen - 1.96 * error, seen + 1.96 * error}};
}

TEST(VerdictTest, ImagesThatTellNothingLeaveItToTheNoise) {
  EXPECT_NEAR(Seen(3, 1e3).ExpectedDrop(0.01), 0.3, 1e-3);
  EXPECT_FALSE(Seen(3, 1e3).Rejects(0.5, 0.01));
  EXPECT_TRUE(Seen(-3, 1e3).Rejects(0.5, 0.03));
}

TEST(VerdictTest, ImagesThatTellEverythingDecide) {
  EXPECT_NEAR(Seen(0.1, 1e-3).ExpectedDrop(0.05), 0.1, 1e-3);
  EXPECT_FALSE(Seen(0.1, 1e-3).Rejects(0.5, 0.05));
  EXPECT_TRUE(Seen(0.6, 1e-3).Rejects(0.5, 0));
}

TEST(VerdictTest, BothAreWeighedByHowWellTheyTell) {
  EXPECT_NEAR(Seen(0.4, 0.35).ExpectedDrop(0.03), 0.5, 1e-9);  // 0.6 by the noise, give or take 0.35 as well
  EXPECT_TRUE(Seen(0.4, 0.35).Rejects(0.49, 0.03));
  EXPECT_FALSE(Seen(0.4, 0.35).Rejects(0.51, 0.03));
}

TEST(VerdictTest, ADropBeyondTheImagesErrorIsRejectedWhateverTheNoise) {
  EXPECT_TRUE(Seen(2, 0.77).Rejects(0.5, 0.005));
  EXPECT_LT(Seen(2, 0.77).ExpectedDrop(0.005), 0.5);
}

}  // namespace
}  // namespace tenon
