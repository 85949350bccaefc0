#include "verify/ship_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tenon {
namespace {

using ::testing::ElementsAre;

Check Failed(const std::string& name, double value = 2, double threshold = 1) {
  return {.name = name, .status = CheckStatus::kFail, .value = value, .threshold = threshold};
}
Check Passed(const std::string& name) { return {.name = name, .status = CheckStatus::kPass}; }
/// The checks that must be judged, good, and this one.
std::vector<Check> With(Check check) { return {Passed("map"), Passed("determinism"), std::move(check)}; }
std::vector<Check> MapDrop(double drop) { return {Failed("map", drop, 0.5), Passed("determinism")}; }

const ShipSettings kInt8{.precision = "int8"};
const ShipLimits kLimits{.calibrations = {"entropy", "percentile"}, .weight_roundings = {"adaptive"}};

/// Every remedy that is tried while nothing gets better.
std::vector<std::string> Remedies(ShipPlan plan, const ShipOutcome& outcome) {
  std::vector<std::string> names;
  while (plan.Next(outcome)) names.push_back(plan.remedy());
  return names;
}

TEST(KindOfFailure, TheGravestCounts) {
  EXPECT_EQ(KindOfFailure(With(Passed("confidence"))), FailureKind::kNone);
  EXPECT_EQ(KindOfFailure(With(Failed("confidence"))), FailureKind::kAccuracy);
  EXPECT_EQ(KindOfFailure({Failed("map"), Failed("not_slower_than_half"), Passed("determinism")}),
            FailureKind::kLatency);
  EXPECT_EQ(KindOfFailure({Failed("map"), Failed("p95_latency"), Failed("weights")}), FailureKind::kDefect);
  EXPECT_EQ(KindOfFailure({{.name = "map"}, Passed("determinism")}), FailureKind::kDefect) << "no labels: no proof";
}

TEST(ShipPlan, AccuracyOfInt8HasItsLadder) {
  EXPECT_THAT(Remedies({kInt8, kLimits}, {MapDrop(2), 300}),
              ElementsAre("weight rounding adaptive", "calibrator entropy", "calibrator percentile",
                          "more layers back in half", "more layers back in half"));
  EXPECT_EQ(Remedies({kInt8, kLimits}, {MapDrop(2), 512}).front(), "more calibration images");
}

TEST(ShipPlan, OtherPrecisionsHaveNoCalibration) {
  EXPECT_THAT(Remedies({{.precision = "half"}, kLimits}, {MapDrop(2), 0}), testing::IsEmpty());
  EXPECT_THAT(Remedies({{.precision = "half"}, kLimits}, {With(Failed("p95_latency"))}),
              ElementsAre("every tactic tried"));
}

TEST(ShipPlan, WithoutABudgetThereIsNoTighterOne) {
  ShipSettings none = kInt8;
  none.search_drop = 0;
  EXPECT_THAT(Remedies({none, {}}, {MapDrop(2), 300}), testing::IsEmpty());
}

TEST(ShipPlan, WhatHelpsIsKeptAndWhatDoesNotIsTakenBack) {
  ShipPlan plan(kInt8, kLimits);
  ASSERT_TRUE(plan.Next({MapDrop(2), 512}));
  EXPECT_EQ(plan.settings().max_images, 2048);
  ASSERT_TRUE(plan.Next({MapDrop(3), 2048}));  // worse
  EXPECT_EQ(plan.settings().max_images, 512);
  EXPECT_EQ(plan.settings().weight_rounding, "adaptive");
  ASSERT_TRUE(plan.Next({MapDrop(1), 512}));  // better
  EXPECT_EQ(plan.settings().weight_rounding, "adaptive");
  EXPECT_EQ(plan.settings().calibration, "entropy");
  ASSERT_TRUE(plan.Next({MapDrop(1), 512}));  // no better
  EXPECT_EQ(plan.settings().calibration, "percentile");
  ASSERT_TRUE(plan.Next({MapDrop(0.9), 512}));
  EXPECT_EQ(plan.settings(),
            (ShipSettings{
                .precision = "int8", .calibration = "percentile", .weight_rounding = "adaptive", .search_drop = 0.25}));
  ASSERT_TRUE(plan.Next({MapDrop(0.8), 512}));
  EXPECT_EQ(plan.settings().search_drop, 0.125);
  EXPECT_FALSE(plan.Next({MapDrop(0.8), 512}));
}

TEST(ShipPlan, WhatIsSkippedIsFollowedByTheNextOfTheBestSettings) {
  ShipPlan plan(kInt8, kLimits);
  ASSERT_TRUE(plan.Next({MapDrop(2), 300}));
  ASSERT_TRUE(plan.Next({MapDrop(1), 300}));
  EXPECT_EQ(plan.settings().calibration, "entropy");
  ASSERT_TRUE(plan.Skip());
  EXPECT_EQ(plan.settings().calibration, "percentile");
  ASSERT_TRUE(plan.Skip());
  EXPECT_EQ(plan.settings(), (ShipSettings{.precision = "int8", .weight_rounding = "adaptive", .search_drop = 0.25}));
  ASSERT_TRUE(plan.Skip());
  EXPECT_FALSE(plan.Skip());
}

TEST(ShipPlan, LatencyCallsForTuningWithinReach) {
  ShipLimits limits = kLimits;
  limits.p95_ms = 10;
  ShipPlan near(kInt8, limits);
  ASSERT_TRUE(near.Next({With(Failed("p95_latency", 12, 10)), 512}));
  EXPECT_EQ(near.settings().effort, 3);
  EXPECT_FALSE(near.Next({With(Failed("p95_latency", 12, 10)), 512})) << "there is no more effort than all";
  EXPECT_FALSE(ShipPlan(kInt8, limits).Next({With(Failed("p95_latency", 20, 10)), 512})) << "out of reach";
  EXPECT_TRUE(ShipPlan(kInt8, limits).Next({With(Failed("not_slower_than_half", 1.2, 1.02)), 512}));
}

TEST(ShipPlan, ThenAccuracyGoesOnWithTheEffort) {
  ShipPlan plan(kInt8, kLimits);
  ASSERT_TRUE(plan.Next({{Failed("map"), Failed("not_slower_than_half"), Passed("determinism")}, 300}));
  EXPECT_EQ(plan.remedy(), "every tactic tried");
  ASSERT_TRUE(plan.Next({MapDrop(2), 300}));
  EXPECT_EQ(plan.settings().effort, 3);
  EXPECT_EQ(plan.settings().weight_rounding, "adaptive");
}

TEST(ShipPlan, ADefectHasNoRemedy) {
  EXPECT_FALSE(ShipPlan(kInt8, kLimits).Next({With(Failed("weights")), 512}));
  EXPECT_FALSE(ShipPlan(kInt8, kLimits).Next({With(Failed("precision_as_asked")), 512}));
}

}  // namespace
}  // namespace tenon
