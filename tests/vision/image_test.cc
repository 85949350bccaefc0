#include "vision/image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"

namespace tenon {
namespace {

namespace fs = std::filesystem;
const std::string kFolder = TENON_SOURCE_DIR "/tests/data/images/";

nlohmann::json Expected() { return nlohmann::json::parse(ReadTextFile(kFolder + "expected.json")); }

uint32_t Crc(const Image& image) {
  return static_cast<uint32_t>(crc32(0, image.bgr.data(), static_cast<uInt>(image.bgr.size())));
}

std::string ErrorOf(const std::string& bytes, const std::string& name = "x.img") {
  try {
    DecodeImage(std::as_bytes(std::span(bytes)), name);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
    return error.what();
  }
  return {};
}

TEST(ImageTest, PixelsAreThoseOfOpenCv) {
  const nlohmann::json expected = Expected();
  ASSERT_GE(expected.size(), 36u);
  for (const auto& [name, entry] : expected.items()) {
    SCOPED_TRACE(name);
    const Image image = LoadImage(kFolder + name);
    EXPECT_EQ(image.height, entry["height"].get<int>());
    EXPECT_EQ(image.width, entry["width"].get<int>());
    EXPECT_EQ(Crc(image), entry["crc32"].get<uint32_t>());
  }
}

TEST(ImageTest, EveryTruncationIsAnErrorThatNamesTheFile) {
  for (const char* name : {"420.jpg", "progressive.jpg", "cmyk.jpg", "rgb.png", "interlaced.png", "lossy.webp",
                           "lossless.webp", "rgb.bmp", "palette.bmp"}) {
    const std::string bytes = ReadTextFile(kFolder + name);
    for (size_t keep = 0; keep < bytes.size() * 9 / 10; keep += 1 + bytes.size() / 97) {
      EXPECT_THAT(ErrorOf(bytes.substr(0, keep), name), testing::HasSubstr(name)) << name << " cut to " << keep;
    }
  }
}

TEST(ImageTest, DamagedBytesNeverCrash) {
  const nlohmann::json files = Expected();
  for (const auto& [name, entry] : files.items()) {
    const std::string bytes = ReadTextFile(kFolder + name);
    uint32_t random = 12345;
    for (int round = 0; round < 30; ++round) {
      std::string damaged = bytes;
      for (int i = 0; i < 4; ++i) {
        random = random * 1664525u + 1013904223u;
        damaged[(random >> 8) % std::min<size_t>(damaged.size(), 200)] = static_cast<char>(random >> 24);
      }
      try {
        DecodeImage(std::as_bytes(std::span(damaged)), name);
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
      }
    }
  }
}

TEST(ImageTest, HugeHeadersAreRefusedBeforeAllocation) {
  std::string jpeg = ReadTextFile(kFolder + "420.jpg");
  const size_t frame = jpeg.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  jpeg.replace(frame + 5, 4, "\xc3\x50\xc3\x50");  // 50,000 x 50,000
  EXPECT_THAT(ErrorOf(jpeg), testing::HasSubstr("50000 x 50000"));
  std::string bmp = ReadTextFile(kFolder + "rgb.bmp");
  const int32_t side = 50000;
  std::memcpy(&bmp[18], &side, 4);
  std::memcpy(&bmp[22], &side, 4);
  EXPECT_THAT(ErrorOf(bmp), testing::HasSubstr("50000 x 50000"));
}

TEST(ImageTest, SizesThatTheFileCannotHoldAreRefusedBeforeAllocation) {
  // 16,000 x 16,000 pixels, within the limit, in files of 70 to 600 bytes: found by fuzzing (768 MB for a BMP of 1 KB).
  for (const char* name : {"claims.bmp", "claims.png", "claims.jpg"}) {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_THAT(ErrorOf(ReadTextFile(std::string(TENON_SOURCE_DIR) + "/fuzz/corpus/image_decoder/" + name)),
                testing::HasSubstr("premature end"))
        << name;
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(100)) << name;
  }
}

TEST(ImageTest, OtherFilesAreNamedErrors) {
  EXPECT_THAT(ErrorOf(""), testing::HasSubstr("empty"));
  EXPECT_THAT(ErrorOf("GIF89a"), testing::HasSubstr("expected a JPEG, PNG, WebP or BMP"));
  EXPECT_THROW(LoadImage(kFolder + "missing.jpg"), Error);
}

TEST(ImageTest, WritesWhatItReads) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("tenon_image_test_{}", getpid());
  fs::create_directories(folder);
  const Image image = LoadImage(kFolder + "rgb.png");
  WriteImage(image, folder / "a.png");
  EXPECT_EQ(LoadImage(folder / "a.png").bgr, image.bgr);
  WriteImage(image, folder / "a.jpg");
  const Image jpeg = LoadImage(folder / "a.jpg");
  ASSERT_EQ(jpeg.bgr.size(), image.bgr.size());
  double difference = 0;
  for (size_t i = 0; i < image.bgr.size(); ++i) difference += std::abs(int{jpeg.bgr[i]} - int{image.bgr[i]});
  EXPECT_LT(difference / static_cast<double>(image.bgr.size()), 12);  // hard red edges at 4:2:0 and quality 95
  EXPECT_THROW(WriteImage(image, folder / "missing/a.jpg"), Error);
  fs::remove_all(folder);
}

TEST(ImageTest, SuffixesAreToldInAnyCase) {
  EXPECT_TRUE(HasImageSuffix("a/b.JPG"));
  EXPECT_TRUE(HasImageSuffix("x.webp"));
  EXPECT_FALSE(HasImageSuffix("x.txt"));
  EXPECT_FALSE(HasImageSuffix("folder.jpg/x"));
}

}  // namespace
}  // namespace tenon
