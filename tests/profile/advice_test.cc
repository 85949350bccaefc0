#include "profile/advice.h"

#include <gmock/gmock.h>

#include "profile_testing.h"

namespace tenon {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string TextOf(const ProgramStep& step, double us, AdviceContext context = {}) {
  context.peaks = TestPeaks();
  if (context.engine_precision.empty()) context.engine_precision = "fp32";
  return Advise(ReportOf(step, us), context).text;
}

ProgramStep PlainConv(double flops, DType compute = DType::kFloat32) {
  return TestConv("conv", {1, 64, 40, 40}, {64, 64, 3, 3}, {1, 64, 40, 40}, flops, compute);
}

TEST(AdviceTest, ComputeBoundSaysWhatHalfWouldAllow) {
  const std::string text = TextOf(PlainConv(180e6), 1000);
  EXPECT_THAT(text, HasSubstr("compute bound at 90% of the fp32 peak"));
  EXPECT_THAT(text, HasSubstr("only fewer operations"));
  EXPECT_THAT(text, HasSubstr("half lowers its limit from 900 us to 450 us"));
}

TEST(AdviceTest, FarFromThePeakThereIsSomethingToTry) {
  const std::string text = TextOf(PlainConv(100e6), 1000);
  EXPECT_THAT(text, HasSubstr("at 50%"));
  EXPECT_THAT(text, HasSubstr("500 us could be won"));
  EXPECT_THAT(text, Not(HasSubstr("only fewer operations")));
}

TEST(AdviceTest, TheFirstReasonIsTheShape) {
  EXPECT_THAT(TextOf(TestConv("stem", {1, 3, 64, 64}, {16, 3, 3, 3}, {1, 16, 32, 32}, 100e6), 1000),
              HasSubstr("only 27 multiply-adds per output"));
  EXPECT_THAT(TextOf(TestConv("odd", {1, 64, 64, 64}, {20, 64, 3, 3}, {1, 20, 32, 32}, 100e6), 1000),
              HasSubstr("20 output channels fill 20 of 32 vector lanes"));
  EXPECT_THAT(TextOf(TestConv("dw", {1, 64, 64, 64}, {64, 1, 5, 5}, {1, 64, 64, 64}, 100e6), 1000),
              HasSubstr("depthwise: 25 multiply-adds"));
}

TEST(AdviceTest, AnFp32StepInsideAHalfEngineIsNamedWithItsReason) {
  const AdviceContext context{.engine_precision = "half",
                              .warnings = {"convert (Conv) stays in FP32: another layer",
                                           "conv (Conv) stays in FP32: it reads the FP32 image itself"}};
  const std::string text = TextOf(PlainConv(100e6), 1000, context);
  EXPECT_THAT(text, HasSubstr("FP32 step inside a half engine (it reads the FP32 image itself)"));
  EXPECT_THAT(text, HasSubstr("half would lower its limit to 250 us"));
  EXPECT_THAT(TextOf(PlainConv(100e6, DType::kBFloat16), 1000, context), Not(HasSubstr("inside a half")));
}

TEST(AdviceTest, HalfEnginesHearOfInt8) {
  const AdviceContext context{.engine_precision = "half"};
  EXPECT_THAT(TextOf(PlainConv(320e6, DType::kBFloat16), 1000, context),
              HasSubstr("--int8 --data lowers its limit from 800 us to 400 us"));
  // No dot product, so nothing to win.
  const ProgramStep depthwise =
      TestConv("dw", {1, 64, 64, 64}, {64, 1, 5, 5}, {1, 64, 64, 64}, 100e6, DType::kBFloat16);
  EXPECT_THAT(TextOf(depthwise, 1000, context), Not(HasSubstr("int8")));
}

TEST(AdviceTest, AHalfStepInsideAnInt8EngineIsNamedWithItsReason) {
  const AdviceContext context{.engine_precision = "int8",
                              .warnings = {},
                              .not_in_int8 = {{"conv", "accuracy: noise 0.0200 in INT8"}, {"other", "time"}}};
  const std::string text = TextOf(PlainConv(320e6, DType::kBFloat16), 1000, context);
  EXPECT_THAT(text, HasSubstr("a half step inside an int8 engine (accuracy: noise 0.0200 in INT8)"));
  EXPECT_THAT(text, HasSubstr("int8 would lower its limit to 400 us"));
  EXPECT_THAT(TextOf(PlainConv(320e6, DType::kInt8), 1000, context), Not(HasSubstr("inside")));
}

TEST(AdviceTest, NoHalfIsProposedWhereTheMachineHasNone) {
  AdviceContext context{.engine_precision = "fp32"};
  context.peaks = TestPeaks();
  context.peaks.half_ops = 0;
  EXPECT_THAT(Advise(ReportOf(PlainConv(180e6), 1000), context).text, Not(HasSubstr("half")));
}

TEST(AdviceTest, MemoryBoundSaysItsBytes) {
  const std::string text = TextOf(TestStep("pool", "Pool", 1e6, 20e6), 1250);
  EXPECT_THAT(text, HasSubstr("memory bound"));
  EXPECT_THAT(text, HasSubstr("20.0 MB at 16.0 GB/s, 80% of a copy"));
  EXPECT_THAT(text, HasSubstr("half halves"));
  EXPECT_THAT(TextOf(TestStep("pool", "Pool", 1e6, 20e6), 1250, {.engine_precision = "half"}),
              HasSubstr("fewer bytes help"));
}

TEST(AdviceTest, ARegionFarFromItsBytesIsNoMatterOfBandwidth) {
  const std::string text = TextOf(TestStep("tail", "Region", 1e6, 1e6), 1000);
  EXPECT_THAT(text, HasSubstr("explain 10 us of 1.00 ms"));
}

TEST(AdviceTest, ShortStepsAndTheReference) {
  EXPECT_THAT(TextOf(TestStep("s", "Conv", 1e5, 1e3), 2), HasSubstr("1.0 of its 2.0 us"));
  ProgramStep step = TestStep("s", "ScatterND", 200e6, 1e3);
  step.family = "reference";
  EXPECT_THAT(TextOf(step, 50000), HasSubstr("no fast kernel computes this form of ScatterND, 50 times slower"));
}

TEST(AdviceTest, TheDominatingOnesUpToTheShare) {
  Program program;
  for (int i = 0; i < 10; ++i) program.steps.push_back(PlainConv(1e6));
  const auto reports = JudgeSteps(program, {}, std::vector<double>{40, 5, 5, 5, 5, 5, 5, 10, 10, 10}, TestPeaks(), kTestL2);
  const AdviceContext context{.peaks = TestPeaks(), .engine_precision = "fp32", .warnings = {}};
  const auto advice = AdviseOnDominating(reports, context, 0.55);
  ASSERT_EQ(advice.size(), 3u);
  EXPECT_EQ(advice[0].step, 0u);
  EXPECT_GT(advice[0].saves_us, 0);
  EXPECT_EQ(AdviseOnDominating(reports, context, 1, 2).size(), 2u);
}

}  // namespace
}  // namespace tenon
