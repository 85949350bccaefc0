#include "profile/chrome_trace.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "profile_testing.h"

namespace tenon {
namespace {

class ChromeTraceTest : public testing::Test {
 protected:
  ChromeTraceTest() {
    program_.steps = {TestStep("first \"quoted\"", "Conv", 1e6, 1e3), TestStep("", "Pool", 1e3, 1e3)};
    reports_ = JudgeSteps(program_, {}, std::vector<double>{10, 20}, TestPeaks(), kTestL2);  // the second comes first
  }
  Program program_;
  std::vector<StepReport> reports_;
};

// The Trace Event Format, JSON object form: what Perfetto's importer takes.
TEST_F(ChromeTraceTest, CompleteEventsOnOneTrack) {
  const std::vector<RunRecord> runs = {{0, {10, 20}}, {100.5, {12, 18}}};
  const auto trace = nlohmann::json::parse(MakeChromeTrace(runs, reports_, "a track").dump());
  int complete = 0;
  for (const auto& event : trace.at("traceEvents")) {
    EXPECT_TRUE(event.at("name").is_string());
    EXPECT_TRUE(event.at("pid").is_number_integer());
    EXPECT_TRUE(event.at("tid").is_number_integer());
    EXPECT_TRUE(event.at("args").is_object());
    if (event.at("ph") == "M") continue;
    ASSERT_EQ(event.at("ph"), "X");
    EXPECT_GE(event.at("ts").get<double>(), 0);
    EXPECT_GT(event.at("dur").get<double>(), 0);
    ++complete;
  }
  EXPECT_EQ(complete, 6);  // two runs of two steps
}

TEST_F(ChromeTraceTest, StepsLieInsideTheirRunInOrder) {
  const std::vector<RunRecord> runs = {{100.5, {12, 18}}};
  const auto trace = MakeChromeTrace(runs, reports_, "t");
  const auto& events = trace["traceEvents"];
  ASSERT_EQ(events.size(), 5u);
  EXPECT_EQ(events[2]["name"], "run 0");
  EXPECT_EQ(events[2]["ts"], 100.5);
  EXPECT_EQ(events[2]["dur"], 30.0);
  EXPECT_EQ(events[3]["name"], "first \"quoted\"");
  EXPECT_EQ(events[3]["ts"], 100.5);
  EXPECT_EQ(events[3]["args"]["step"], 0);
  EXPECT_EQ(events[3]["args"]["sources"].size(), 2u);
  EXPECT_EQ(events[4]["name"], "Pool");  // no name of its own
  EXPECT_EQ(events[4]["ts"], 112.5);
  EXPECT_EQ(events[4]["dur"], 18.0);
}

TEST_F(ChromeTraceTest, NoRunsIsATraceToo) {
  EXPECT_EQ(MakeChromeTrace({}, reports_, "t")["traceEvents"].size(), 2u);
  EXPECT_THROW(MakeChromeTrace(std::vector<RunRecord>{{0, {1}}}, reports_, "t"), Error);
}

}  // namespace
}  // namespace tenon
