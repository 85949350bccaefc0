#include "vision/loader.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "vision/draw.h"

namespace tenon {
namespace {

const std::string kFolder = TENON_SOURCE_DIR "/tests/data/images/";

LoaderOptions Options(int threads, int depth = 4) {
  return {.preprocess = {.height = 32, .width = 32}, .threads = threads, .depth = depth};
}

TEST(LoaderTest, ImagesComeInOrderWhateverTheThreads) {
  std::vector<std::string> paths;
  for (int i = 0; i < 60; ++i)
    paths.push_back(kFolder + (i % 3 == 0 ? "rgb.png" : i % 3 == 1 ? "420.jpg" : "lossy.webp"));
  std::vector<std::vector<float>> tensors;
  for (const int threads : {1, 3, 16}) {
    ImageLoader loader(paths, Options(threads));
    size_t next = 0;
    while (std::optional<LoadedImage> image = loader.Next()) {
      EXPECT_EQ(image->index, next);
      EXPECT_EQ(image->path, paths[next]);
      EXPECT_EQ(image->error, "");
      EXPECT_EQ(image->tensor.size(), 3u * 32 * 32);
      EXPECT_EQ(image->image.width, 0);
      if (tensors.size() <= next) tensors.push_back(image->tensor);
      EXPECT_EQ(image->tensor, tensors[next]);
      ++next;
    }
    EXPECT_EQ(next, paths.size());
    EXPECT_FALSE(loader.Next().has_value());
  }
}

TEST(LoaderTest, PixelsAreTheImageItself) {
  const LoadedImage image = LoadForModel(kFolder + "rgb.png", {.as = LoadAs::kPixels});
  EXPECT_EQ(image.image.bgr, LoadImage(kFolder + "rgb.png").bgr);
  EXPECT_EQ(image.plan.scaled_width, 640);
  EXPECT_TRUE(image.tensor.empty());
}

TEST(LoaderTest, ABadImageIsAnErrorOfItsOwn) {
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("tenon_loader_{}", getpid());
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "bad.jpg") << "\xff\xd8\xff nonsense";
  ImageLoader loader({kFolder + "rgb.png", folder / "bad.jpg", folder / "absent.jpg", kFolder + "420.jpg"}, Options(2));
  EXPECT_EQ(loader.Next()->error, "");
  EXPECT_THAT(loader.Next()->error, testing::HasSubstr("bad.jpg"));
  EXPECT_THAT(loader.Next()->error, testing::HasSubstr("absent.jpg"));
  EXPECT_EQ(loader.Next()->error, "");
  std::filesystem::remove_all(folder);
}

TEST(LoaderTest, MayBeLeftEarlyOrEmpty) {
  const std::vector<std::string> many(500, kFolder + "rgb.png");
  for (int round = 0; round < 20; ++round) {
    ImageLoader loader(many, Options(3, 2));
    if (round % 2 == 0) loader.Next();
  }
  EXPECT_FALSE(ImageLoader({}, Options(2)).Next().has_value());
  EXPECT_TRUE(ImageLoader(many, Options(0, 0)).Next().has_value());
}

TEST(DrawTest, BoxesAndLabelsStayInsideEveryImage) {
  const std::vector<std::string> names = {"a name much longer than a small image is wide", "Gabelst\xc3\xa4pler"};
  for (const auto& [height, width] : {std::pair(1, 1), {8, 500}, {500, 8}, {48, 64}, {1080, 1920}}) {
    Image image(height, width);
    const auto w = static_cast<float>(width), h = static_cast<float>(height);
    const std::vector<Detection> detections = {{{0, 0, w, h}, 0.9f, 0},
                                               {{-1e30f, -5, 1e30f, h / 2}, 0.8f, 1},
                                               {{w - 1, h - 1, w + 9, h + 9}, 0.7f, 99},
                                               {{NAN, 0, 1, 1}, 0.6f, -1}};
    DrawDetections(image, detections, names);
    EXPECT_EQ(image.bgr.size(), static_cast<size_t>(height) * width * 3);
    EXPECT_NE(std::count(image.bgr.begin(), image.bgr.end(), 0), static_cast<long>(image.bgr.size()));
  }
}

TEST(DrawTest, LabelsGrowWithTheImage) {
  const auto drawn = [](int side) {
    Image image(side, side);
    const auto s = static_cast<float>(side);
    DrawDetections(image, std::vector<Detection>{{{s / 4, s / 2, s * 3 / 4, s * 3 / 4}, 0.9f, 0}}, {"cat"});
    // Rows of the upper half that hold paint: the label above the box.
    int rows = 0;
    for (int y = 0; y < side / 2 - side / 100; ++y) {
      rows += std::any_of(image.Row(y), image.Row(y) + side * 3, [](uint8_t v) { return v != 0; });
    }
    return rows;
  };
  EXPECT_GE(drawn(320), 8);
  EXPECT_GT(drawn(4000), 4 * drawn(640));
}

TEST(DrawTest, ColorsAreStableAndApart) {
  EXPECT_EQ(ClassColor(3), ClassColor(3));
  for (int a = 0; a < 10; ++a) {
    for (int b = 0; b < a; ++b) {
      int distance = 0;
      for (int c = 0; c < 3; ++c) distance += std::abs(ClassColor(a)[c] - ClassColor(b)[c]);
      EXPECT_GT(distance, 40) << a << " " << b;
    }
  }
}

}  // namespace
}  // namespace tenon
