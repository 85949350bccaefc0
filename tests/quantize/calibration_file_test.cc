#include "quantize/calibration_file.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace tenon {
namespace {

Calibration Small() {
  Calibration calibration;
  calibration.key = {HashString("m"), HashString("g"), HashString("d"), "640x640 centred RGB"};
  calibration.observed.images = 12;
  for (StatisticsTable& tensors : calibration.observed.halves) {
    tensors["a b"].Add(std::vector<float>{-1, 0.1f, 3, 1.0f / 3, 2, 5}, {1, 2, 3});
    tensors["odd\n%name"].Add(std::vector<float>{1e-20f, 2e10f}, {1, 2, 1});
    tensors["empty"];
  }
  calibration.observed.halves[1]["a b"].Add(std::vector<float>{7, 8}, {1, 2, 1});
  return calibration;
}

TEST(CalibrationFileTest, RoundTrip) {
  const Calibration before = Small();
  const std::string text = PrintCalibration(before);
  const Calibration after = ParseCalibration(text);
  EXPECT_EQ(PrintCalibration(after), text);
  EXPECT_EQ(after.key, before.key);
  EXPECT_EQ(after.observed.images, 12);
  const StatisticsTable all = after.observed.All();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(after.observed.halves[0].at("a b").channels()[1].max, 5);
  EXPECT_EQ(all.at("a b").channels()[1].max, 8);
  EXPECT_EQ(all.at("odd\n%name").histogram().max(), 2e10f);
}

TEST(CalibrationFileTest, SaysWhatDiffers) {
  CalibrationKey a = Small().key, b = a;
  EXPECT_EQ(DescribeDifference(a, b), "");
  b.data = HashString("other");
  EXPECT_EQ(DescribeDifference(a, b), "other images");
  b.preprocessing = "320x320";
  EXPECT_NE(DescribeDifference(a, b).find("instead of 320x320"), std::string::npos);
}

TEST(CalibrationFileTest, CutAndChangedTextNeverCrashes) {
  const std::string text = PrintCalibration(Small());
  for (size_t length = 0; length < text.size(); length += 1 + length / 40)
    EXPECT_THROW(ParseCalibration(text.substr(0, length)), Error) << length;
  for (size_t at = 0; at < text.size(); at += 1 + at / 40) {  // the head in full, bins in steps
    for (const char c : {'9', '-', ' ', '\n', '%', 'x'}) {
      std::string changed = text;
      changed[at] = c;
      try {
        ParseCalibration(changed);
      } catch (const Error&) {
      }
    }
  }
}

TEST(CalibrationFileTest, SizesAreCheckedBeforeMemoryIsTaken) {
  std::string text = PrintCalibration(Small());
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), to);
    return changed;
  };
  EXPECT_THROW(ParseCalibration(replaced("tensors 3", "tensors 300000000000")), Error);
  EXPECT_THROW(ParseCalibration(replaced("channels 2 of", "channels 200000000000 of")), Error);
  EXPECT_THROW(ParseCalibration(replaced("bins ", "bins 99999999")), Error);
}

}  // namespace
}  // namespace tenon
