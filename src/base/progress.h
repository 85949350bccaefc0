#pragma once
#include <chrono>
#include <cstdint>
#include <string>

namespace tenon {

/// Where progress is shown.
struct ProgressTarget {
  bool bar = false;  ///< redraw one line; else a plain line now and then
  int columns = 80;  ///< of the terminal
  std::chrono::milliseconds interval{10'000};

  /// stderr: a bar on a terminal (not on TERM=dumb), a line every ten seconds elsewhere.
  static ProgressTarget Stderr();
};

/// "val [####    ] 12/40 images, 3.1 images/s, 0:09 left": as much of it as fits `columns` (the bar shrinks first, then
/// goes, then the text is cut); without a bar "val: 12/40 images, ...".
std::string ProgressText(const std::string& title, const std::string& unit, int64_t done, int64_t total, double seconds,
                         const ProgressTarget& target);

/// Progress of long work on stderr: a bar with rate and time left on a terminal, one plain line every ten seconds
/// elsewhere, nothing when quiet. No colours, so NO_COLOR changes nothing.
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
  bool quiet_, finished_ = false;
  ProgressTarget target_;
  std::chrono::steady_clock::time_point start_, last_print_;
};

}  // namespace tenon
