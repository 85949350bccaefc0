#include "vision/head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace tenon {
namespace {

using Metadata = std::map<std::string, std::string>;
const Metadata kTwoNames = {{"names", "{0: 'cat', 1: 'dog'}"}, {"task", "detect"}};

std::string Names(int count) {
  std::string text = "{";
  for (int i = 0; i < count; ++i) text += fmt::format("{}: 'n{}', ", i, i);
  return text + "}";
}

Head Recognise(const Metadata& metadata, std::vector<std::vector<int64_t>> shapes, int size = 640,
               std::optional<HeadKind> forced = std::nullopt) {
  std::vector<OutputShape> outputs;
  for (auto& shape : shapes) outputs.push_back({fmt::format("out{}", outputs.size()), std::move(shape)});
  return RecogniseHead(metadata, outputs, size, size, forced);
}

std::string ErrorOf(const Metadata& metadata, std::vector<std::vector<int64_t>> shapes,
                    std::optional<HeadKind> forced = std::nullopt) {
  try {
    Recognise(metadata, std::move(shapes), 640, forced);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
    return error.what();
  }
  return {};
}

struct Case {
  const char* label;
  Metadata metadata;
  std::vector<std::vector<int64_t>> shapes;
  int size;
  HeadKind kind;
  int classes;
  size_t output;
};

TEST(HeadTest, RecognisesTheFamilies) {
  const Metadata coco = {{"names", Names(80)}, {"task", "detect"}};
  const Metadata segment = {{"names", Names(80)}, {"task", "segment"}};
  const Metadata pose = {{"names", Names(1)}, {"task", "pose"}};
  const Metadata e2e = {{"names", Names(80)}, {"task", "detect"}, {"end2end", "True"}};
  const Metadata rtdetr = {{"names", Names(80)}, {"task", "detect"}, {"head", "RTDETRDecoder"}};
  const std::vector<Case> cases = {
      {"yolov8", coco, {{1, 84, 8400}}, 640, HeadKind::kV8, 80, 0},
      {"yolov8 without metadata", {}, {{1, 84, 8400}}, 640, HeadKind::kV8, 80, 0},
      {"yolov8 batch 4, 320", coco, {{4, 84, 2100}}, 320, HeadKind::kV8, 80, 0},
      {"two classes", kTwoNames, {{1, 6, 8400}}, 640, HeadKind::kV8, 2, 0},
      {"tiny input, fewer boxes than channels", coco, {{1, 84, 21}}, 32, HeadKind::kV8, 80, 0},
      {"p6 strides", coco, {{1, 84, 8500}}, 640, HeadKind::kV8, 80, 0},
      {"segment", segment, {{1, 116, 8400}, {1, 32, 160, 160}}, 640, HeadKind::kV8, 80, 0},
      {"segment, prototypes first", segment, {{1, 32, 160, 160}, {1, 116, 8400}}, 640, HeadKind::kV8, 80, 1},
      {"pose", pose, {{1, 56, 8400}}, 640, HeadKind::kV8, 1, 0},
      {"yolov5", coco, {{1, 25200, 85}}, 640, HeadKind::kV5, 80, 0},
      {"yolov5 without metadata", {}, {{1, 25200, 85}}, 640, HeadKind::kV5, 80, 0},
      {"yolov5 one class", {{"names", Names(1)}}, {{1, 25200, 6}}, 640, HeadKind::kV5, 1, 0},
      {"yolo26", e2e, {{1, 300, 6}}, 640, HeadKind::kEndToEnd, 80, 0},
      {"end to end, segment", e2e, {{1, 300, 38}, {1, 32, 160, 160}}, 640, HeadKind::kEndToEnd, 80, 0},
      {"end to end without metadata", {}, {{1, 300, 6}}, 640, HeadKind::kEndToEnd, 1, 0},
      {"yolox", {}, {{1, 3549, 85}}, 416, HeadKind::kYolox, 80, 0},
      {"rt-detr", rtdetr, {{1, 300, 84}}, 640, HeadKind::kRtDetr, 80, 0},
      {"rt-detr without metadata", {}, {{1, 300, 84}}, 640, HeadKind::kRtDetr, 80, 0},
      {"rt-detr top-k", rtdetr, {{1, 300, 6}}, 640, HeadKind::kRtDetrTopK, 80, 0},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.label);
    const Head head = Recognise(c.metadata, c.shapes, c.size);
    EXPECT_EQ(HeadFlag(head.kind), HeadFlag(c.kind));
    EXPECT_EQ(head.num_classes, c.classes);
    EXPECT_EQ(head.output, c.output);
    EXPECT_GE(head.names.size(), static_cast<size_t>(c.classes));
    EXPECT_EQ(head.boxes * head.channels, c.shapes[c.output][1] * c.shapes[c.output][2]);
  }
}

TEST(HeadTest, NamesComeFromTheMetadata) {
  EXPECT_EQ(Recognise(kTwoNames, {{1, 6, 8400}}).names, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(Recognise({}, {{1, 84, 8400}}).names[79], "class_79");
}

TEST(HeadTest, TheFlagDecides) {
  EXPECT_EQ(Recognise({}, {{1, 3549, 85}}, 416, HeadKind::kV5).kind, HeadKind::kV5);
  EXPECT_THAT(ErrorOf(kTwoNames, {{1, 300, 84}}, HeadKind::kYolox), testing::HasSubstr("--head yolox"));
  for (const char* flag : {"v8", "v5", "end2end", "yolox", "rtdetr", "rtdetr-topk"}) {
    EXPECT_EQ(HeadFlag(ParseHeadFlag(flag)), flag);
  }
  EXPECT_THROW(ParseHeadFlag("v9"), Error);
}

TEST(HeadTest, WhatItCannotTellItDescribes) {
  const std::string error = ErrorOf(kTwoNames, {{1, 99, 8400}, {1, 1000}});
  EXPECT_THAT(error, testing::HasSubstr("out0 1x99x8400, out1 1x1000, task=detect"));
  EXPECT_THAT(error, testing::HasSubstr("--head v8, v5, end2end, yolox, rtdetr, rtdetr-topk"));
  EXPECT_THAT(ErrorOf({}, {}), testing::HasSubstr("can't tell"));
  EXPECT_THAT(ErrorOf({}, {{1, 84, 0}}), testing::HasSubstr("can't tell"));
  EXPECT_THAT(ErrorOf({{"task", "classify"}}, {{1, 1000}}), testing::HasSubstr("task classify"));
  EXPECT_THAT(ErrorOf({{"task", "obb"}}, {{1, 20, 8400}}), testing::HasSubstr("task obb"));
}

TEST(HeadTest, EachFamilyHasItsPreprocessing) {
  EXPECT_EQ(DefaultPreprocess({.kind = HeadKind::kV8, .input_height = 320, .input_width = 640}).height, 320);
  EXPECT_EQ(DefaultPreprocess({.kind = HeadKind::kV8}).divisor[0], 255);
  EXPECT_EQ(DefaultPreprocess({.kind = HeadKind::kYolox}).order, ColorOrder::kBgr);
  EXPECT_EQ(DefaultPreprocess({.kind = HeadKind::kRtDetr}).placement, Placement::kStretch);
}

}  // namespace
}  // namespace tenon
