#include "base/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace tenon {
namespace {

using Clock = std::chrono::steady_clock;

std::string TimeText(double seconds) {
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  return whole >= 3600 ? fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
                       : fmt::format("{}:{:02}", whole / 60, whole % 60);
}

}  // namespace

ProgressTarget ProgressTarget::Stderr() {
  const char* term = std::getenv("TERM");
  ProgressTarget target;
  if (!isatty(STDERR_FILENO) || (term && std::string_view(term) == "dumb")) return target;
  target.bar = true;
  target.interval = std::chrono::milliseconds(100);
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) target.columns = size.ws_col;
  return target;
}

std::string ProgressText(const std::string& title, const std::string& unit, int64_t done, int64_t total, double seconds,
                         const ProgressTarget& target) {
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  const double left = rate > 0 ? static_cast<double>(std::max<int64_t>(0, total - done)) / rate : 0;
  const std::string figures =
      fmt::format("{}/{} {}, {:.1f} {}/s, {} left", done, total, unit, rate, unit, rate > 0 ? TimeText(left) : "?");
  if (!target.bar) return fmt::format("{}: {}", title, figures);
  constexpr int kWidth = 24, kLeast = 4;
  // One column stays free: a full line would wrap.
  const int room = target.columns - 1 - static_cast<int>(title.size() + figures.size()) - 4;
  const int width = std::min(kWidth, room);
  if (width < kLeast) return fmt::format("{}: {}", title, figures).substr(0, std::max(0, target.columns - 1));
  const int filled = static_cast<int>(static_cast<double>(width) * static_cast<double>(std::min(done, total)) /
                                      static_cast<double>(std::max<int64_t>(total, 1)));
  return fmt::format("{} [{:#<{}}{:<{}}] {}", title, "", filled, "", width - filled, figures);
}

Progress::Progress(std::string title, std::string unit, int64_t total, Mode mode)
    : title_(std::move(title)),
      unit_(std::move(unit)),
      total_(total),
      quiet_(mode == Mode::kQuiet || total <= 0),
      target_(ProgressTarget::Stderr()),
      start_(Clock::now()),
      last_print_(start_) {}

Progress::~Progress() { Finish(); }

void Progress::Advance(int64_t count) {
  done_ += count;
  if (quiet_ || Clock::now() - last_print_ < target_.interval) return;
  last_print_ = Clock::now();
  Print();
}

void Progress::Finish() {
  if (finished_) return;
  finished_ = true;
  if (quiet_ || !target_.bar) return;
  Print();
  std::fputc('\n', stderr);
}

void Progress::Print() {
  if (target_.bar) target_.columns = ProgressTarget::Stderr().columns;  // the window may have another size now
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  const std::string text = ProgressText(title_, unit_, done_, total_, seconds, target_);
  fmt::print(stderr, "{}{}{}", target_.bar ? "\r" : "", text, target_.bar ? "\x1b[K" : "\n");
  std::fflush(stderr);
}

}  // namespace tenon
