#include "verify/source_cache.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"

namespace tenon {
namespace {

namespace fs = std::filesystem;

class SourceCacheTest : public testing::Test {
 protected:
  SourceCacheTest() : folder_(testing::TempDir() + "source_cache/deep"), cache_(folder_) { fs::remove_all(folder_); }
  ~SourceCacheTest() override { fs::remove_all(folder_); }

  static std::vector<ImageDetections> Images() {
    std::vector<ImageDetections> images(3);
    for (size_t i = 0; i < 3; ++i) {
      images[i].sample = i;
      images[i].plan = PlanLetterbox(300 + static_cast<int>(i), 400, {}, LetterboxRule::kVal);
      for (size_t k = 0; k < i; ++k) images[i].detections.push_back({{1, 2, 3, 4}, 0.5f + static_cast<float>(k), 7});
    }
    return images;
  }
  std::string File() const { return fs::directory_iterator(folder_)->path().string(); }

  std::string folder_;
  SourceCache cache_;
  const Digest digest_ = HashString("key");
};

TEST_F(SourceCacheTest, RoundTrip) {
  EXPECT_FALSE(cache_.Find(digest_));
  cache_.Put(digest_, Images());
  const auto found = cache_.Find(digest_);
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 3u);
  EXPECT_EQ((*found)[2].sample, 2u);
  EXPECT_EQ((*found)[2].plan.image_height, 302);
  EXPECT_EQ((*found)[2].detections.size(), 2u);
  EXPECT_EQ((*found)[2].detections[1].score, 1.5f);
  EXPECT_FALSE(cache_.Find(HashString("other")));
  EXPECT_FALSE(SourceCache("").Find(digest_));
}

TEST_F(SourceCacheTest, DamagedFilesAreAsGoodAsNone) {
  cache_.Put(digest_, Images());
  const std::string file = File(), whole = ReadTextFile(file);
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string flipped = whole;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x10);
    std::ofstream(file, std::ios::binary) << flipped;
    EXPECT_FALSE(cache_.Find(digest_)) << "byte " << i;
  }
  for (size_t cut = 0; cut < whole.size(); cut += 7) {
    std::ofstream(file, std::ios::binary) << whole.substr(0, cut);
    EXPECT_FALSE(cache_.Find(digest_)) << "cut at " << cut;
  }
}

TEST_F(SourceCacheTest, TheDigestCoversWhatResultsDependOn) {
  fs::create_directories(folder_);
  const std::string image = folder_ + "/a.jpg";
  WriteTextFileAtomically(image, "one");
  Dataset dataset{.samples = {{.image_path = image}}};
  const SourceKey key{.source = HashString("s"), .tenon = "1", .input = "1x320", .decoding = "0.001"};
  const Digest digest = DigestOf(key, dataset);
  EXPECT_EQ(DigestOf(key, dataset), digest);
  SourceKey other = key;
  other.source = HashString("t");
  EXPECT_NE(DigestOf(other, dataset), digest);
  for (std::string SourceKey::*field : {&SourceKey::tenon, &SourceKey::input, &SourceKey::decoding}) {
    other = key;
    other.*field += "x";
    EXPECT_NE(DigestOf(other, dataset), digest);
  }
  dataset.samples[0].truths.resize(1);
  EXPECT_EQ(DigestOf(key, dataset), digest) << "labels are read anew";
  WriteTextFileAtomically(image, "longer");
  EXPECT_NE(DigestOf(key, dataset), digest);
}

}  // namespace
}  // namespace tenon
