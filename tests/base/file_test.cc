#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/error.h"
#include "base/hash.h"

namespace tenon {
namespace {

namespace fs = std::filesystem;

class FileTest : public testing::Test {
 protected:
  FileTest() { fs::create_directories(folder_); }
  ~FileTest() override { fs::remove_all(folder_); }
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  size_t Files() const { return std::distance(fs::directory_iterator(folder_), fs::directory_iterator()); }

 private:
  fs::path folder_ = fs::temp_directory_path() / ("tenon_file_test_" + std::to_string(getpid()));
};

TEST_F(FileTest, WritesAndReadsBack) {
  WriteTextFileAtomically(Path("a"), "hello");
  EXPECT_EQ(ReadTextFile(Path("a")), "hello");
  WriteTextFileAtomically(Path("a"), "");
  EXPECT_EQ(ReadTextFile(Path("a")), "");
  EXPECT_EQ(Files(), 1u);
}

TEST_F(FileTest, FailedWriteLeavesNothing) {
  fs::create_directories(Path("folder/inner"));
  EXPECT_THROW(WriteTextFileAtomically(Path("folder"), "x"), Error);
  EXPECT_THROW(WriteTextFileAtomically(Path("missing/x"), "x"), Error);
  EXPECT_EQ(Files(), 1u);
}

TEST_F(FileTest, LinksAndPermissionsStay) {
  WriteTextFileAtomically(Path("a"), "old");
  fs::permissions(Path("a"), fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink("a", Path("link"));
  WriteTextFileAtomically(Path("link"), "new");
  EXPECT_TRUE(fs::is_symlink(Path("link")));
  EXPECT_EQ(ReadTextFile(Path("a")), "new");
  EXPECT_EQ(fs::status(Path("a")).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(Files(), 2u);
}

TEST_F(FileTest, NewFilesFollowTheUmask) {
  for (const mode_t mask : {mode_t{022}, mode_t{077}}) {
    const mode_t before = umask(mask);
    WriteTextFileAtomically(Path("masked" + std::to_string(mask)), "x");
    umask(before);
    EXPECT_EQ(static_cast<mode_t>(fs::status(Path("masked" + std::to_string(mask))).permissions()), 0666u & ~mask);
  }
}

TEST_F(FileTest, WhatIsNoFileIsNotReplaced) {
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  fs::create_symlink("pipe", Path("link"));
  for (const char* name : {"pipe", "link"}) {
    EXPECT_THROW(CheckWritable(Path(name)), Error);
    EXPECT_THROW(WriteTextFileAtomically(Path(name), "x"), Error);
  }
  EXPECT_TRUE(fs::is_fifo(Path("pipe")));
  EXPECT_EQ(Files(), 2u);
}

TEST_F(FileTest, LongNames) {
  WriteTextFileAtomically(Path(std::string(255, 'n')), "x");  // the longest that Linux's file systems take
  EXPECT_EQ(ReadTextFile(Path(std::string(255, 'n'))), "x");
  EXPECT_THROW(CheckWritable(Path(std::string(256, 'n'))), Error);
  EXPECT_EQ(Files(), 1u);
}

TEST_F(FileTest, ErrorsNameTheFile) {
  try {
    MappedFile file(Path("missing"));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
    EXPECT_NE(std::string(error.what()).find(Path("missing")), std::string::npos);
  }
  EXPECT_THROW(MappedFile(fs::temp_directory_path().string()), Error);
}

TEST(ErrorTest, HouseForm) {
  EXPECT_EQ(FormatError(
                {.what = "can't read", .where = "a.onnx", .got = "3 bytes", .expected = "4", .hint = "Copy it again."}),
            "can't read (a.onnx): got 3 bytes, expected 4. Copy it again.");
  EXPECT_EQ(FormatError({.what = "no model"}), "no model");
  EXPECT_THROW(TENON_CHECK(1 == 2, "{}", 5), Error);
}

TEST(HashTest, DigestsDiffer) {
  EXPECT_EQ(HashString("a"), HashString("a"));
  EXPECT_NE(HashString("a"), HashString("b"));
  EXPECT_EQ(HashString("").ToString().size(), 32u);
}

}  // namespace
}  // namespace tenon
