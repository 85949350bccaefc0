#pragma once
#include <chrono>
#include <cstdint>
#include <string>

namespace tenon {

/// Progress of long work on stderr: a bar with rate and time left on a terminal, one plain line every ten seconds
/// elsewhere, nothing when quiet.
class Progress {
 public:
  enum class Mode { kShow, kQuiet };
  /// @param unit what is counted: "images"
  Progress(std::string title, std::string unit, int64_t total, Mode mode);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Advance(int64_t count = 1);
  /// Ends the line; called by the destructor too.
  void Finish();

 private:
  void Print();

  std::string title_, unit_;
  int64_t total_, done_ = 0;
  bool quiet_, terminal_, finished_ = false;
  std::chrono::steady_clock::time_point start_, last_print_;
};

}  // namespace tenon
