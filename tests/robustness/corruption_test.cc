// Engines and models cut at any byte and with any byte changed. An engine's every byte is under a digest or checked:
// damage is always refused. A model's bytes are not: a changed one is refused or is another model, and nothing worse.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "backends/cpu/cpu_device.h"
#include "base/error.h"
#include "robustness/engines.h"

namespace tenon {
namespace {

using testing_support::FileBytes;

/// TENON_CORRUPTIONS and TENON_CORRUPTION_FILES (separated by ':') ask for more cases and other files.
int Cases(int usual) {
  const char* cases = std::getenv("TENON_CORRUPTIONS");
  return cases ? std::atoi(cases) : usual;
}

std::vector<std::string> MoreFiles(const std::string& suffix) {
  std::vector<std::string> files;
  const char* list = std::getenv("TENON_CORRUPTION_FILES");
  for (std::string rest = list ? list : ""; !rest.empty();) {
    const size_t end = std::min(rest.find(':'), rest.size());
    if (rest.substr(0, end).ends_with(suffix)) files.push_back(rest.substr(0, end));
    rest.erase(0, end + 1);
  }
  return files;
}

/// A cut, flipped bits, changed bytes, a run of one byte, or bytes behind the end; never the file itself.
FileBytes Damage(const FileBytes& file, std::mt19937& random) {
  const auto below = [&](size_t n) { return static_cast<size_t>(random()) % n; };
  FileBytes damaged = file;
  do {
    switch (below(5)) {
      case 0:
        damaged.resize(below(file.size()));
        return damaged;
      case 1:
        damaged.insert(damaged.end(), 1 + below(200), static_cast<std::byte>(below(256)));
        return damaged;
      case 2:
        std::fill_n(damaged.begin() + static_cast<std::ptrdiff_t>(below(file.size())), 1,
                    static_cast<std::byte>(below(256)));
        break;
      case 3: {
        const size_t begin = below(file.size()), size = std::min(1 + below(300), file.size() - begin);
        std::fill_n(damaged.begin() + static_cast<std::ptrdiff_t>(begin), size, static_cast<std::byte>(below(2) * 255));
        break;
      }
      default:
        damaged[below(file.size())] ^= static_cast<std::byte>(1u << below(8));
    }
  } while (damaged == file);
  return damaged;
}

void ExpectAlwaysRefused(const FileBytes& file, int cases, const testing_support::ScratchFolder& folder) {
  std::mt19937 random(20261123);
  const std::string path = folder / "damaged.tenon";
  for (int i = 0; i < cases; ++i) {
    const FileBytes damaged = Damage(file, random);
    testing_support::WriteBytes(path, damaged);
    try {
      ReadEngine(path);
      FAIL() << "case " << i << ": a damaged engine was read";
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::kInvalidInput) << "case " << i << ": " << error.what();
    }
  }
}

TEST(CorruptionTest, DamagedEnginesAreRefused) {
  const testing_support::ScratchFolder folder;
  const auto models = testing_support::SeedModels();
  for (const std::string& model : models) {
    SCOPED_TRACE(model);
    const FileBytes engine = testing_support::BuildEngine(model, folder);
    if (!engine.empty()) ExpectAlwaysRefused(engine, Cases(2000) / static_cast<int>(models.size()), folder);
  }
  for (const std::string& engine : MoreFiles(".tenon")) {
    SCOPED_TRACE(engine);
    ExpectAlwaysRefused(testing_support::ReadBytes(engine), Cases(100), folder);
  }
}

TEST(CorruptionTest, EveryByteOfAnEngineCounts) {
  const testing_support::ScratchFolder folder;
  const FileBytes file = testing_support::BuildEngine(testing_support::SeedModels().front(), folder);
  const std::string path = folder / "damaged.tenon";
  for (size_t i = 0; i < file.size(); ++i) {
    FileBytes damaged = file;
    damaged[i] ^= std::byte{0x10};
    testing_support::WriteBytes(path, damaged);
    EXPECT_THROW(ReadEngine(path), Error) << "byte " << i << " of " << file.size();
    damaged.resize(i);
    testing_support::WriteBytes(path, damaged);
    EXPECT_THROW(ReadEngine(path), Error) << "cut at " << i;
  }
}

void ExpectRefusedOrRead(const FileBytes& file, int cases) {
  std::mt19937 random(20261123);
  int refused = 0;
  for (int i = 0; i < cases; ++i) {
    const FileBytes damaged = Damage(file, random);
    try {
      TimingCache cache;
      auto graph = ImportOnnx(damaged);
      if (file.size() < 20000) CompileFor(std::move(graph), CpuDevice::Detect(), {.tune = {.effort = 0}}, cache);
    } catch (const Error& error) {
      ++refused;
      ASSERT_TRUE(error.code() == ErrorCode::kInvalidInput || error.code() == ErrorCode::kUnsupportedDevice)
          << "case " << i << ": " << error.what();
    }
  }
  EXPECT_GT(refused, cases / 10) << "hardly any damage was noticed: the test shows nothing";
}

TEST(CorruptionTest, DamagedModelsAreRefusedOrRead) {
  const auto models = testing_support::SeedModels();
  for (const std::string& model : models) {
    SCOPED_TRACE(model);
    ExpectRefusedOrRead(testing_support::ReadBytes(model), Cases(1000) / static_cast<int>(models.size()));
  }
  for (const std::string& model : MoreFiles(".onnx")) {
    SCOPED_TRACE(model);
    ExpectRefusedOrRead(testing_support::ReadBytes(model), Cases(100));
  }
}

}  // namespace
}  // namespace tenon
