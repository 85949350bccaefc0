#pragma once
#include <gtest/gtest.h>
#include <zlib.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/error.h"

namespace tenon::testing_support {

/// A file of the shared fixtures (TENON_SHARED, else ../shared beside the sources); empty when it is not there.
inline std::string FixturePath(const std::string& name) {
  const char* shared = std::getenv("TENON_SHARED");
  const std::string root = shared != nullptr ? shared : std::string(TENON_SOURCE_DIR) + "/../shared";
  const std::string path = root + "/fixtures/" + name;
  return std::filesystem::exists(path) ? path : std::string();
}

inline std::string ReadGzip(const std::string& path) {
  gzFile file = gzopen(path.c_str(), "rb");
  TENON_CHECK(file != nullptr, "{}", path);
  std::string text;
  std::array<char, 1 << 16> block;
  for (int n; (n = gzread(file, block.data(), block.size())) > 0;) text.append(block.data(), static_cast<size_t>(n));
  gzclose(file);
  return text;
}

}  // namespace tenon::testing_support

/// Skips the test, by name, where a shared fixture is missing.
#define TENON_REQUIRE_FIXTURE(variable, name)                               \
  const std::string variable = ::tenon::testing_support::FixturePath(name); \
  if (variable.empty()) GTEST_SKIP() << "fixture " << (name) << " is not on this machine"
