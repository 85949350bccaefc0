#include "profile/step_times.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "base/error.h"

namespace tenon {
namespace {

using Clock = std::chrono::steady_clock;

double MicrosecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

}  // namespace

double Median(std::vector<double> values) {
  TENON_CHECK(!values.empty());
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double StepTimes::SumUs() const { return std::accumulate(step_us.begin(), step_us.end(), 0.0); }

double StepTimes::Ratio() const { return whole_us > 0 ? SumUs() / whole_us : 0; }

namespace {

/// The runs whose whole time is among the lowest quarter.
std::vector<size_t> QuietRuns(const std::vector<double>& run_us) {
  std::vector<size_t> order(run_us.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return run_us[a] < run_us[b]; });
  order.resize((order.size() + 3) / 4);
  return order;
}

double MeanOver(const std::vector<size_t>& runs, const std::vector<double>& us) {
  double sum = 0;
  for (const size_t run : runs) sum += us[run];
  return sum / static_cast<double>(runs.size());
}

/// Runs in turns and keeps everything.
class Recorder {
 public:
  Recorder(Context& context, std::span<const void* const> inputs, std::span<void* const> outputs)
      : context_(context), inputs_(inputs), outputs_(outputs) {}

  void RunWhole() {
    const auto start = Clock::now();
    context_.Run(inputs_, outputs_);
    const double whole_us = MicrosecondsSince(start), device_us = context_.device_us();
    whole_us_.push_back(device_us > 0 ? device_us : whole_us);  // a GPU's steps are what it does, not the copies
  }
  void RunTimed() {
    const auto start = Clock::now();
    context_.RunTimed(inputs_, outputs_, run_us_);
    starts_.push_back(start);
    timed_us_.push_back(std::accumulate(run_us_.begin(), run_us_.end(), 0.0));
    by_step_.resize(run_us_.size());
    for (size_t i = 0; i < run_us_.size(); ++i) by_step_[i].push_back(run_us_[i]);
  }
  StepTimes Finish(size_t kept_runs) const {
    StepTimes times{.whole_us = MeanOver(QuietRuns(whole_us_), whole_us_), .whole_median_us = Median(whole_us_)};
    const std::vector<size_t> quiet = QuietRuns(timed_us_);
    for (const auto& step : by_step_) {
      times.step_us.push_back(MeanOver(quiet, step));
      times.step_median_us.push_back(Median(step));
    }
    const size_t kept = std::min(kept_runs, starts_.size()), first = (starts_.size() - kept) / 2;
    for (size_t run = first; run < first + kept; ++run) {
      RunRecord& record = times.runs.emplace_back();
      record.start_us = std::chrono::duration<double, std::micro>(starts_[run] - starts_[first]).count();
      for (const auto& step : by_step_) record.step_us.push_back(step[run]);
    }
    return times;
  }

 private:
  Context& context_;
  std::span<const void* const> inputs_;
  std::span<void* const> outputs_;
  std::vector<Clock::time_point> starts_;
  std::vector<double> whole_us_, timed_us_, run_us_;
  std::vector<std::vector<double>> by_step_;
};

}  // namespace

StepTimes MeasureStepTimes(Context& context, std::span<const void* const> inputs, std::span<void* const> outputs,
                           const StepTimesOptions& options) {
  TENON_CHECK(options.iterations > 0, "{} iterations", options.iterations);
  const auto warmup = Clock::now();
  do {
    context.Run(inputs, outputs);
  } while (MicrosecondsSince(warmup) < options.warmup_ms * 1e3);
  Recorder recorder(context, inputs, outputs);
  for (int i = 0; i < options.iterations; ++i) {
    // Who comes second finds the caches as the first left them: take turns.
    if (i % 2) recorder.RunTimed();
    recorder.RunWhole();
    if (i % 2 == 0) recorder.RunTimed();
    if (options.after) options.after();
  }
  return recorder.Finish(static_cast<size_t>(std::max(0, options.kept_runs)));
}

}  // namespace tenon
