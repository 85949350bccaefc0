#include <gtest/gtest.h>

#include "backends/cpu/cpu_device.h"
#include "backends/cpu/peaks.h"
#include "base/error.h"
#include "profile_testing.h"

namespace tenon {
namespace {

TEST(StepReportTest, RatesAndSharesOfThePeaks) {
  Program program;
  program.steps = {TestStep("small", "Pool", 1e6, 20e6), TestStep("large", "Conv", 200e6, 1e6),
                   TestStep("half", "Conv", 100e6, 1e6, DType::kBFloat16)};
  const std::vector<double> us = {1250, 2000, 500};
  const auto reports = JudgeSteps(program, {}, us, TestPeaks(), kTestL2);
  ASSERT_EQ(reports.size(), 3u);
  // What dominates comes first.
  EXPECT_EQ(reports[0].index, 1u);
  EXPECT_EQ(reports[1].index, 0u);
  EXPECT_EQ(reports[2].index, 2u);
  EXPECT_NEAR(reports[0].share, 2000.0 / 3750, 1e-12);
  EXPECT_NEAR(reports[0].flops_per_s, 100e9, 1);
  EXPECT_NEAR(reports[0].of_compute_peak, 0.5, 1e-9);
  EXPECT_NEAR(reports[0].limit_us, 1000, 1e-6);
  EXPECT_EQ(reports[0].bound, Bound::kCompute);
  // 20 MB don't fit the caches: 1 ms at a copy's rate.
  EXPECT_NEAR(reports[1].bytes_per_s, 16e9, 1);
  EXPECT_NEAR(reports[1].of_memory_peak, 0.8, 1e-9);
  EXPECT_NEAR(reports[1].limit_us, 1000, 1e-6);
  EXPECT_EQ(reports[1].bound, Bound::kMemory);
  // Half is held against the peak of half.
  EXPECT_NEAR(reports[2].of_compute_peak, 0.5, 1e-9);
}

TEST(StepReportTest, AnAlgorithmThatSavesMultiplyAddsIsHeldAgainstThoseItTakes) {
  Program program;
  program.steps = {TestStep("direct", "Conv", 144e6, 1e6), TestStep("winograd", "Conv", 144e6, 1e6)};
  program.steps[1].family = "conv_winograd_f4";  // 36 products for 144
  const CpuDevice device;
  const auto reports = JudgeSteps(program, device.families(), std::vector<double>{900, 360}, TestPeaks(), kTestL2);
  EXPECT_NEAR(reports[0].of_compute_peak, 0.8, 1e-9);
  EXPECT_NEAR(reports[0].limit_us, 720, 1e-6);
  EXPECT_NEAR(reports[1].work_share, 0.25, 1e-12);
  EXPECT_NEAR(reports[1].of_compute_peak, 0.5, 1e-9);
  EXPECT_NEAR(reports[1].limit_us, 180, 1e-6);
  EXPECT_NEAR(reports[1].flops_per_s, 400e9, 1) << "rates stay those of the convolution that was asked for";
}

TEST(StepReportTest, WhatFitsTheCachesIsHeldAgainstThem) {
  const StepReport report = ReportOf(TestStep("s", "Region", 1, 1e6), 100);
  EXPECT_NEAR(report.limit_us, 10, 1e-6);
}

TEST(StepReportTest, ShortStepsAndTheReferenceAreToldApart) {
  EXPECT_EQ(ReportOf(TestStep("s", "Conv", 1e5, 1e3), 2.9).bound, Bound::kLaunch);
  EXPECT_EQ(ReportOf(TestStep("s", "Conv", 1e5, 1e3), 3.1).bound, Bound::kCompute);
  ProgramStep reference = TestStep("s", "Conv", 1e5, 1e3);
  reference.family = "reference";
  EXPECT_EQ(ReportOf(reference, 1.5).bound, Bound::kReference);
}

TEST(StepReportTest, AStepThatTookNoTimeIsNoDivisionByZero) {
  const StepReport report = ReportOf(TestStep("s", "Conv", 0, 0), 0);
  EXPECT_EQ(report.share, 0);
  EXPECT_EQ(report.flops_per_s, 0);
}

TEST(StepReportTest, OpsAreSummed) {
  Program program;
  program.steps = {TestStep("a", "Conv", 10, 1), TestStep("b", "Pool", 1, 2), TestStep("c", "Conv", 20, 3)};
  const auto ops = SumByOp(JudgeSteps(program, {}, std::vector<double>{10, 50, 20}, TestPeaks(), kTestL2));
  ASSERT_EQ(ops.size(), 2u);
  EXPECT_EQ(ops[0].op, "Pool");
  EXPECT_EQ(ops[1].op, "Conv");
  EXPECT_EQ(ops[1].steps, 2);
  EXPECT_NEAR(ops[1].us, 30, 1e-9);
  EXPECT_NEAR(ops[1].share, 30.0 / 80, 1e-9);
  EXPECT_NEAR(ops[1].flops, 30, 1e-9);
}

TEST(StepReportTest, TimesMustFitTheProgram) {
  EXPECT_THROW(JudgeSteps(Program{}, {}, std::vector<double>{1}, TestPeaks(), kTestL2), Error);
}

TEST(PeaksTest, MeasuredPeaksAreSane) {
  CpuDevice device = CpuDevice::Detect();
  const MachinePeaks peaks = MeasurePeaks(device, {.attempts = 3});
  EXPECT_EQ(peaks.threads, device.threads);
  if (device.features.avx2_fma) {
    EXPECT_GT(peaks.fp32_ops, 1e9);
    EXPECT_LT(peaks.fp32_ops, 1e12 * device.threads);
  }
  EXPECT_EQ(peaks.half_ops > 0, device.features.avx512_bf16);
  EXPECT_EQ(peaks.int8_ops > 0, device.features.avx512_vnni);
  EXPECT_GT(peaks.memory_bytes, 1e8);
  EXPECT_GT(peaks.launch_us, 0);
  device.features = {};
  EXPECT_EQ(MeasurePeaks(device, {.attempts = 1}).fp32_ops, 0) << "without AVX2 there is no loop to time";
}

}  // namespace
}  // namespace tenon
