#include "vision/letterbox.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"

namespace tenon {
namespace {

const std::string kFolder = TENON_SOURCE_DIR "/tests/data/images/";

TEST(LetterboxTest, CanvasesAreThoseOfOpenCvAndUltralytics) {
  const nlohmann::json cases = nlohmann::json::parse(ReadTextFile(kFolder + "letterbox.json"));
  ASSERT_EQ(cases.size(), 60u);
  const std::map<std::string, Placement> placements = {{"predict", Placement::kCentre},
                                                       {"val", Placement::kCentre},
                                                       {"top_left", Placement::kTopLeft},
                                                       {"stretch", Placement::kStretch}};
  for (const nlohmann::json& c : cases) {
    SCOPED_TRACE(c.dump());
    const Image image = LoadImage(kFolder + c["image"].get<std::string>());
    const std::string rule = c["rule"];
    const Preprocess preprocess{.height = c["height"], .width = c["width"], .placement = placements.at(rule)};
    const LetterboxPlan plan = PlanLetterbox(image.height, image.width, preprocess,
                                             rule == "val" ? LetterboxRule::kVal : LetterboxRule::kPredict);
    const Image canvas = Letterbox(image, plan, preprocess);
    EXPECT_EQ(crc32(0, canvas.bgr.data(), static_cast<uInt>(canvas.bgr.size())), c["crc32"].get<uint32_t>());
  }
}

TEST(LetterboxTest, ValRoundsTheShortSideUpAndPredictToNearest) {
  const Preprocess preprocess;
  const LetterboxPlan val = PlanLetterbox(427, 640, preprocess, LetterboxRule::kVal);
  EXPECT_EQ(val.scaled_height, 427);
  EXPECT_EQ(val.top, 106);
  const LetterboxPlan larger = PlanLetterbox(333, 500, preprocess, LetterboxRule::kVal);  // 426.24
  EXPECT_EQ(larger.scaled_height, 427);
  EXPECT_DOUBLE_EQ(larger.gain_y, 427.0 / 333);
  const LetterboxPlan predict = PlanLetterbox(333, 500, preprocess, LetterboxRule::kPredict);
  EXPECT_EQ(predict.scaled_height, 426);
  EXPECT_EQ(predict.top, 107);
  EXPECT_DOUBLE_EQ(predict.gain_y, 426.0 / 333);
}

TEST(LetterboxTest, ThinImagesKeepOnePixel) {
  for (const LetterboxRule rule : {LetterboxRule::kVal, LetterboxRule::kPredict}) {
    for (const Placement placement : {Placement::kCentre, Placement::kTopLeft, Placement::kStretch}) {
      const Preprocess preprocess{.height = 64, .width = 64, .placement = placement};
      const LetterboxPlan plan = PlanLetterbox(1, 3000, preprocess, rule);
      EXPECT_GE(plan.scaled_height, 1);
      EXPECT_EQ(Letterbox(Image(1, 3000), plan, preprocess).bgr.size(), 64u * 64 * 3);
    }
  }
  EXPECT_THROW(PlanLetterbox(0, 10, {}, LetterboxRule::kVal), Error);
}

TEST(LetterboxTest, BoxesGoBackAndAreClipped) {
  for (const Placement placement : {Placement::kCentre, Placement::kTopLeft, Placement::kStretch}) {
    const Preprocess preprocess{.height = 320, .width = 640, .placement = placement};
    const LetterboxPlan plan = PlanLetterbox(375, 500, preprocess, LetterboxRule::kPredict);
    const auto forward = [&](float x, float y) {
      return std::pair(static_cast<float>(x * plan.gain_x + plan.left), static_cast<float>(y * plan.gain_y + plan.top));
    };
    const auto [x1, y1] = forward(10, 20);
    const auto [x2, y2] = forward(300, 360);
    const Box box = BoxToImage({x1, y1, x2, y2}, plan);
    EXPECT_NEAR(box.x1, 10, 1e-3);
    EXPECT_NEAR(box.y1, 20, 1e-3);
    EXPECT_NEAR(box.x2, 300, 1e-3);
    EXPECT_NEAR(box.y2, 360, 1e-3);
    const Box clipped = BoxToImage({-100, -100, 5000, 5000}, plan);
    EXPECT_EQ(clipped.x1, 0);
    EXPECT_EQ(clipped.y1, 0);
    EXPECT_EQ(clipped.x2, 500);
    EXPECT_EQ(clipped.y2, 375);
  }
}

TEST(LetterboxTest, TruthsLandWhereTheirPixelsDo) {
  const Preprocess preprocess;
  const LetterboxPlan plan = PlanLetterbox(375, 500, preprocess, LetterboxRule::kVal);
  const Box box = TruthToCanvas({.cx = 0.5f, .cy = 0.5f, .width = 0.2f, .height = 0.4f}, plan);
  EXPECT_NEAR(box.x1, 256, 1e-3);
  EXPECT_NEAR(box.x2, 384, 1e-3);
  EXPECT_NEAR(box.y1, 80 + 144, 1e-3);
  EXPECT_NEAR(box.y2, 80 + 336, 1e-3);
}

TEST(LetterboxTest, TensorsHaveTheOrderAndScaleAskedFor) {
  Image canvas(1, 2);
  canvas.bgr = {10, 20, 30, 255, 0, 100};
  std::vector<float> tensor(6);
  CanvasToTensor(canvas, {}, tensor);
  EXPECT_EQ(tensor, (std::vector<float>{30 / 255.0f, 100 / 255.0f, 20 / 255.0f, 0, 10 / 255.0f, 1}));
  const Preprocess raw{.order = ColorOrder::kBgr, .mean = {1, 2, 3}, .divisor = {1, 2, 3}};
  CanvasToTensor(canvas, raw, tensor);
  EXPECT_EQ(tensor, (std::vector<float>{9, 254, 9, -1, 9, 97 / 3.0f}));
}

}  // namespace
}  // namespace tenon
