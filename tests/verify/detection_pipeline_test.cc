#include "verify/detection_pipeline.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "verify/pipeline_nets.h"

namespace tenon {
namespace {

namespace fs = std::filesystem;

class DetectionPipelineTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_);
    for (int i = 0; i < 23; ++i) {
      paths_.push_back((folder_ / fmt::format("{}.png", i)).string());
      WritePng(RandomImage(20 + i, 60 - i, static_cast<uint32_t>(i)), paths_.back());
    }
  }
  ~DetectionPipelineTest() override { fs::remove_all(folder_); }

  static PipelineOptions Options(KeepImage keep = KeepImage::kNo) { return {.keep = keep, .detect = {.conf = 0.1}}; }

  std::vector<DetectedImage> All(Detector& detector, KeepImage keep = KeepImage::kNo) const {
    DetectionPipeline pipeline(detector, paths_, Options(keep));
    std::vector<DetectedImage> all;
    while (auto image = pipeline.Next()) all.push_back(*std::move(image));
    return all;
  }

  const fs::path folder_ = fs::temp_directory_path() / fmt::format("tenon_pipeline_{}", getpid());
  std::vector<std::string> paths_;
};

bool SameDetections(const std::vector<Detection>& a, const std::vector<Detection>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Detection& x, const Detection& y) {
    return x.box.x1 == y.box.x1 && x.box.y1 == y.box.y1 && x.box.x2 == y.box.x2 && x.box.y2 == y.box.y2 &&
           x.score == y.score && x.class_id == y.class_id;
  });
}

TEST_F(DetectionPipelineTest, GivesTheBitsOfOneAtATimeInOrder) {
  Detector alone(EngineOf(FloatNet(1)), "v8", 1);
  std::vector<std::vector<Detection>> expected;
  for (const std::string& path : paths_) {
    const LoadedImage image = LoadForModel(path, {.preprocess = alone.preprocess(), .as = LoadAs::kPixels});
    const LoadedImage* pointer = &image;
    expected.push_back(alone.Run(std::span(&pointer, 1), Options().detect).detections.at(0));
    EXPECT_FALSE(expected.back().empty());
  }
  for (const int batch : {1, 4}) {
    for (const int threads : {1, 2, 3, 20}) {
      Detector detector(EngineOf(FloatNet(batch)), "v8", threads);
      const std::vector<DetectedImage> got = All(detector);
      ASSERT_EQ(got.size(), paths_.size());
      for (size_t i = 0; i < got.size(); ++i) {
        EXPECT_EQ(got[i].image.index, i);
        EXPECT_EQ(got[i].image.path, paths_[i]);
        EXPECT_TRUE(SameDetections(got[i].detections, expected[i])) << i << " batch " << batch << " of " << threads;
      }
    }
  }
}

TEST_F(DetectionPipelineTest, SharesThreadsOutAmongAsManyStreamsAsThereIsWorkFor) {
  const auto streams = [&](int threads, int batch, size_t images) {
    Detector detector(EngineOf(FloatNet(batch)), "v8", threads);
    return DetectionPipeline(detector, {paths_.begin(), paths_.begin() + static_cast<ptrdiff_t>(images)}, Options())
        .streams();
  };
  EXPECT_EQ(streams(2, 1, 23), 2);
  EXPECT_EQ(streams(1, 1, 23), 1);
  EXPECT_EQ(streams(2, 1, 1), 1);  // one image gets all threads
  EXPECT_EQ(streams(4, 4, 9), 3);
  EXPECT_EQ(streams(20, 1, 23), 8);
}

TEST_F(DetectionPipelineTest, ABadImageIsAnErrorOfItsOwn) {
  std::ofstream(paths_[5]) << "\xff\xd8\xff nonsense";
  fs::remove(paths_[6]);
  for (const int batch : {1, 4}) {
    Detector detector(EngineOf(FloatNet(batch)), "v8", 2);
    const std::vector<DetectedImage> got = All(detector);
    ASSERT_EQ(got.size(), paths_.size());
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i].image.error.empty(), i != 5 && i != 6) << i;
      EXPECT_EQ(got[i].detections.empty(), i == 5 || i == 6) << i;
    }
    EXPECT_THAT(got[5].image.error, testing::HasSubstr("5.png"));
  }
}

TEST_F(DetectionPipelineTest, KeepsPixelsWhereAsked) {
  Detector detector(EngineOf(FloatNet(1)), "v8", 2);
  EXPECT_TRUE(All(detector)[3].image.image.bgr.empty());
  EXPECT_EQ(All(detector, KeepImage::kYes)[3].image.image.bgr, RandomImage(23, 57, 3).bgr);
}

TEST_F(DetectionPipelineTest, MayBeLeftEarlyOrEmpty) {
  Detector detector(EngineOf(FloatNet(1)), "v8", 3);
  for (int round = 0; round < 20; ++round) {
    DetectionPipeline pipeline(detector, paths_, Options());
    for (int i = 0; i < round % 3; ++i) pipeline.Next();
  }
  EXPECT_FALSE(DetectionPipeline(detector, {}, Options()).Next().has_value());
}

/// Who takes nothing for a while finds no more than two batches a stream made meanwhile.
TEST_F(DetectionPipelineTest, WaitsForWhoTakes) {
  Detector detector(EngineOf(FloatNet(1)), "v8", 2);
  DetectionPipeline pipeline(detector, paths_, Options());
  pipeline.Next();
  usleep(300'000);
  // What was not claimed yet can't be read any more.
  for (size_t i = 6; i < paths_.size(); ++i) fs::remove(paths_[i]);
  size_t readable = 1;
  while (auto image = pipeline.Next()) readable += image->image.error.empty();
  EXPECT_LE(readable, 6u);
}

}  // namespace
}  // namespace tenon
