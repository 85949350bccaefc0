#include "vision/detect.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "base/error.h"

namespace tenon {
namespace {

struct Model {
  Head head;
  std::vector<float> data;
  int64_t batch = 1;

  Model(HeadKind kind, int classes, int64_t boxes, int64_t channels, int size = 64)
      : head{.kind = kind,
             .num_classes = classes,
             .channels = channels,
             .boxes = boxes,
             .input_height = size,
             .input_width = size},
        data(static_cast<size_t>(boxes * channels), 0.0f) {}

  float& At(int64_t box, int64_t channel) {
    return data[head.kind == HeadKind::kV8 ? channel * head.boxes + box : box * head.channels + channel];
  }
  void Set(int64_t box, const std::vector<float>& values) {
    for (size_t i = 0; i < values.size(); ++i) At(box, static_cast<int64_t>(i)) = values[i];
  }
  TensorView View() const {
    const bool channels_first = head.kind == HeadKind::kV8;
    return {data.data(),
            {batch, channels_first ? head.channels : head.boxes, channels_first ? head.boxes : head.channels}};
  }
  std::vector<Detection> Run(const DetectOptions& options, int64_t index = 0) const {
    const TensorView view = View();
    return Detect(head, std::span(&view, 1), index, options);
  }
};

void ExpectBox(const Detection& d, const Box& box, float score, int class_id) {
  EXPECT_FLOAT_EQ(d.box.x1, box.x1);
  EXPECT_FLOAT_EQ(d.box.y1, box.y1);
  EXPECT_FLOAT_EQ(d.box.x2, box.x2);
  EXPECT_FLOAT_EQ(d.box.y2, box.y2);
  EXPECT_FLOAT_EQ(d.score, score);
  EXPECT_EQ(d.class_id, class_id);
}

TEST(DetectTest, V8) {
  Model model(HeadKind::kV8, 3, 10, 3 + 4 + 2);  // two extra channels, as masks have
  model.Set(4, {20, 30, 8, 10, 0.1f, 0.9f, 0.4f, 99, 99});
  model.Set(7, {50, 30, 8, 10, 0, 0, 0.3f, 99, 99});
  const std::vector<Detection> val = model.Run(DetectOptions::Val());
  ASSERT_EQ(val.size(), 4u);
  ExpectBox(val[0], {16, 25, 24, 35}, 0.9f, 1);
  ExpectBox(val[1], {16, 25, 24, 35}, 0.4f, 2);
  ExpectBox(val[2], {46, 25, 54, 35}, 0.3f, 2);
  ExpectBox(val[3], {16, 25, 24, 35}, 0.1f, 0);
  const std::vector<Detection> predict = model.Run(DetectOptions::Predict());
  ASSERT_EQ(predict.size(), 2u);
  ExpectBox(predict[0], {16, 25, 24, 35}, 0.9f, 1);
  ExpectBox(predict[1], {46, 25, 54, 35}, 0.3f, 2);
}

/// The definition, box by box: the sweep by rows finds the same candidates in the same order.
std::vector<Detection> PlainCandidates(const Model& model, const DetectOptions& options) {
  std::vector<Detection> candidates;
  const auto value = [&](int64_t box, int64_t channel) {
    return model.data[static_cast<size_t>(channel * model.head.boxes + box)];
  };
  for (int64_t i = 0; i < model.head.boxes; ++i) {
    const float x = value(i, 0), y = value(i, 1), w = value(i, 2) / 2, h = value(i, 3) / 2;
    int best = 0;
    for (int c = 1; c < model.head.num_classes; ++c) {
      if (value(i, 4 + c) > value(i, 4 + best)) best = c;
    }
    for (int c = 0; c < model.head.num_classes; ++c) {
      const float score = value(i, 4 + c);
      const bool wanted = options.labels == LabelMode::kMulti || c == best;
      if (wanted && score > static_cast<float>(options.conf) && std::isfinite(score))
        candidates.push_back({{x - w, y - h, x + w, y + h}, score, c});
    }
  }
  return candidates;
}

TEST(DetectTest, V8SweepsManyBoxes) {
  std::mt19937 random(3);
  std::uniform_real_distribution<float> uniform(0, 1);
  for (const int64_t boxes : {1, 63, 64, 65, 200, 8400}) {
    Model model(HeadKind::kV8, 7, boxes, 4 + 7 + 1);
    for (float& value : model.data) value = std::pow(uniform(random), 12.0f);
    for (int64_t i = 0; i < boxes; i += 50) model.At(i, 4 + i % 7) = i % 100 == 0 ? NAN : INFINITY;
    const TensorView view = model.View();
    for (const LabelMode labels : {LabelMode::kMulti, LabelMode::kBest}) {
      for (const double conf : {0.0, 0.25, 0.99}) {
        const DetectOptions options{.conf = conf, .labels = labels};
        const auto got = DecodeCandidates(model.head, std::span(&view, 1), 0, options);
        const auto expected = PlainCandidates(model, options);
        ASSERT_EQ(got.size(), expected.size()) << boxes << " " << conf;
        for (size_t i = 0; i < got.size(); ++i)
          ASSERT_EQ(std::memcmp(&got[i], &expected[i], sizeof(Detection)), 0) << i << " of " << boxes;
      }
    }
  }
}

TEST(DetectTest, V8InABatch) {
  Model model(HeadKind::kV8, 1, 5, 5);
  model.Set(1, {10, 10, 4, 4, 0.5f});
  Model second(HeadKind::kV8, 1, 5, 5);
  second.Set(3, {20, 20, 4, 4, 0.75f});
  model.data.insert(model.data.end(), second.data.begin(), second.data.end());
  model.batch = 2;
  EXPECT_FLOAT_EQ(model.Run(DetectOptions::Val(), 0).at(0).score, 0.5f);
  EXPECT_FLOAT_EQ(model.Run(DetectOptions::Val(), 1).at(0).score, 0.75f);
  EXPECT_THROW(model.Run(DetectOptions::Val(), 2), Error);
}

TEST(DetectTest, V5MultipliesByObjectness) {
  Model model(HeadKind::kV5, 2, 6, 7);
  model.Set(2, {20, 30, 8, 10, 0.5f, 0.8f, 0.2f});
  model.Set(3, {20, 30, 8, 10, 0.0005f, 1, 1});
  const std::vector<Detection> val = model.Run(DetectOptions::Val());
  ASSERT_EQ(val.size(), 2u);
  ExpectBox(val[0], {16, 25, 24, 35}, 0.4f, 0);
  ExpectBox(val[1], {16, 25, 24, 35}, 0.1f, 1);
}

TEST(DetectTest, YoloxAddsTheCellAndScales) {
  Model model(HeadKind::kYolox, 1, 64 + 16 + 4, 6);  // 64 x 64 pixels: 8x8, 4x4, 2x2 cells
  model.Set(8 * 2 + 3, {0.5f, 0.25f, 0, std::log(2.0f), 1, 0.9f});
  model.Set(64 + 16 + 3, {0, 0, 0, 0, 1, 0.8f});
  const std::vector<Detection> val = model.Run(DetectOptions::Val());
  ASSERT_EQ(val.size(), 2u);
  ExpectBox(val[0], {28 - 4, 18 - 8, 28 + 4, 18 + 8}, 0.9f, 0);
  ExpectBox(val[1], {32 - 16, 32 - 16, 32 + 16, 32 + 16}, 0.8f, 0);
  EXPECT_THROW(Model(HeadKind::kYolox, 1, 83, 6).Run(DetectOptions::Val()), Error);
}

TEST(DetectTest, EndToEndIsTakenAsItIs) {
  Model model(HeadKind::kEndToEnd, 5, 4, 6);
  model.Set(0, {1, 2, 30, 40, 0.9f, 3});
  model.Set(1, {1, 2, 30, 40, 0.8f, 3});  // a duplicate: the model's business
  model.Set(2, {1, 2, 30, 40, 0.7f, 7});  // no such class
  model.Set(3, {1, 2, 30, 40, 0.0005f, 1});
  const std::vector<Detection> val = model.Run(DetectOptions::Val());
  ASSERT_EQ(val.size(), 2u);
  ExpectBox(val[0], {1, 2, 30, 40}, 0.9f, 3);
  DetectOptions one = DetectOptions::Val();
  one.nms.max_detections = 1;
  EXPECT_EQ(model.Run(one).size(), 1u);
}

TEST(DetectTest, RtDetrSpeaksInFractions) {
  Model model(HeadKind::kRtDetr, 2, 3, 6);
  model.Set(1, {0.5f, 0.5f, 0.25f, 0.5f, 0.1f, 0.6f});
  const std::vector<Detection> predict = model.Run(DetectOptions::Predict());
  ASSERT_EQ(predict.size(), 1u);
  ExpectBox(predict[0], {24, 16, 40, 48}, 0.6f, 1);
  Model top_k(HeadKind::kRtDetrTopK, 2, 3, 6);
  top_k.Set(0, {0.5f, 0.5f, 0.25f, 0.5f, 0.6f, 1});
  ExpectBox(top_k.Run(DetectOptions::Val()).at(0), {24, 16, 40, 48}, 0.6f, 1);
}

TEST(DetectTest, NothingThatIsNotFiniteComesOut) {
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    for (const int channel : {0, 1, 2, 3, 4}) {
      Model model(HeadKind::kV8, 1, 5, 5);
      model.Set(0, {20, 30, 8, 10, 0.9f});
      model.At(0, channel) = bad;
      EXPECT_TRUE(model.Run(DetectOptions::Val()).empty()) << bad << " in channel " << channel;
    }
    Model classes(HeadKind::kEndToEnd, 1, 1, 6);
    classes.Set(0, {1, 2, 3, 4, 0.9f, bad});
    EXPECT_TRUE(classes.Run(DetectOptions::Val()).empty());
  }
}

TEST(DetectTest, AnOutputOfAnotherShapeIsAnError) {
  Model model(HeadKind::kV8, 1, 5, 5);
  TensorView view = model.View();
  view.shape = {1, 5, 6};
  EXPECT_THROW(Detect(model.head, std::span(&view, 1), 0, {}), Error);
  EXPECT_THROW(Detect(model.head, {}, 0, {}), Error);
}

}  // namespace
}  // namespace tenon
