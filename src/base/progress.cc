#include "base/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace tenon {
namespace {

using Clock = std::chrono::steady_clock;

std::string TimeText(double seconds) {
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  return whole >= 3600 ? fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
                       : fmt::format("{}:{:02}", whole / 60, whole % 60);
}

}  // namespace

Progress::Progress(std::string title, std::string unit, int64_t total, Mode mode)
    : title_(std::move(title)),
      unit_(std::move(unit)),
      total_(total),
      quiet_(mode == Mode::kQuiet || total <= 0),
      terminal_(isatty(STDERR_FILENO)),
      start_(Clock::now()),
      last_print_(start_) {}

Progress::~Progress() { Finish(); }

void Progress::Advance(int64_t count) {
  done_ += count;
  const auto interval = terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(10'000);
  if (quiet_ || Clock::now() - last_print_ < interval) return;
  last_print_ = Clock::now();
  Print();
}

void Progress::Finish() {
  if (finished_) return;
  finished_ = true;
  if (quiet_ || !terminal_) return;
  Print();
  std::fputc('\n', stderr);
}

void Progress::Print() {
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  const double rate = seconds > 0 ? static_cast<double>(done_) / seconds : 0;
  const double left = rate > 0 ? static_cast<double>(total_ - done_) / rate : 0;
  const std::string figures =
      fmt::format("{}/{} {}, {:.1f} {}/s, {} left", done_, total_, unit_, rate, unit_, TimeText(left));
  if (!terminal_) {
    fmt::print(stderr, "{}: {}\n", title_, figures);
    return;
  }
  constexpr int kWidth = 24;
  const int filled = static_cast<int>(kWidth * std::min(done_, total_) / total_);
  fmt::print(stderr, "\r{} [{:#<{}}{:<{}}] {}\x1b[K", title_, "", filled, "", kWidth - filled, figures);
  std::fflush(stderr);
}

}  // namespace tenon
