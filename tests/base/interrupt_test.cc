#include "base/interrupt.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "base/file.h"

namespace tenon {
namespace {

// Each in a process of its own: the flag can't be taken back.

TEST(InterruptDeathTest, TheFirstSignalIsPolledFor) {
  for (const int signal : {SIGINT, SIGTERM}) {
    EXPECT_EXIT(
        {
          InstallInterruptHandler();
          CheckInterrupt();
          raise(signal);
          try {
            CheckInterrupt();
          } catch (const Error& error) {
            std::exit(static_cast<int>(error.code()));
          }
          std::exit(0);
        },
        testing::ExitedWithCode(130), "");
  }
}

TEST(InterruptDeathTest, TheSecondSignalEndsTheProcessWhereverItIs) {
  EXPECT_EXIT(
      {
        InstallInterruptHandler();
        raise(SIGINT);
        raise(SIGINT);
        std::exit(0);
      },
      testing::ExitedWithCode(130), "");
}

TEST(InterruptDeathTest, AnInterruptedWriteKeepsTheOldFileAndLeavesNoOther) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / ("tenon_interrupt_test_" + std::to_string(getpid()));
  fs::create_directories(folder);
  const std::string path = folder / "a";
  WriteTextFileAtomically(path, "old");
  EXPECT_EXIT(
      {
        InstallInterruptHandler();
        raise(SIGINT);
        try {
          WriteTextFileAtomically(path, "new");
        } catch (const Error& error) {
          std::exit(static_cast<int>(error.code()));
        }
        std::exit(0);
      },
      testing::ExitedWithCode(130), "");
  EXPECT_EQ(ReadTextFile(path), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace tenon
