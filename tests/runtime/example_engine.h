#pragma once
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/error.h"

namespace tenon::testing_support {

/// A folder of this process, gone at its end.
class ScratchFolder {
 public:
  ScratchFolder() : path_(std::filesystem::temp_directory_path() / ("tenon-runtime-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

inline const ScratchFolder& Scratch() {
  static const ScratchFolder folder;
  return folder;
}

/// An engine of the bundled example for the CPU, made once a process by the program ($TENON, else the build folder's):
/// the tests of the runtime link nothing of the compiler, so that a sanitizer preset needs to build neither.
inline const std::string& ExampleEngine() {
  static const std::string path = [] {
    const char* given = std::getenv("TENON");
    const std::string program = given ? given : TENON_BINARY_DIR "/tenon";
    std::string engine = Scratch() / "forklift.tenon";
    const std::string command =
        "'" + program + "' export '" + TENON_SOURCE_DIR + "/examples/forklift/forklift.onnx' -o '" + engine +
        "' --device cpu --effort 0 --quiet --timing-cache '" + (Scratch() / "cache.timing") + "' >/dev/null";
    TENON_CHECK(std::system(command.c_str()) == 0, "build the program first: {}", command);
    return engine;
  }();
  return path;
}

}  // namespace tenon::testing_support
