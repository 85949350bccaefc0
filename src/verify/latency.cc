#include "verify/latency.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <numeric>

#include "base/interrupt.h"

namespace tenon {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// @return seconds of one round
double WarmUp(std::span<const Runnable> runnables, double seconds) {
  const auto start = Clock::now();
  int64_t rounds = 0;
  do {
    for (const Runnable& runnable : runnables) {
      CheckInterrupt();
      runnable.RunMs();
    }
    ++rounds;
  } while (SecondsSince(start) < seconds);
  return SecondsSince(start) / static_cast<double>(rounds);
}

}  // namespace

double Runnable::RunMs() const {
  if (timed_run) return timed_run();
  const auto start = Clock::now();
  run();
  return SecondsSince(start) * 1e3;
}

Runnable ContextRunnable(std::string name, Context& context, std::span<const void* const> inputs,
                         std::span<void* const> outputs) {
  const auto timed = [&context, inputs, outputs] {
    const auto start = Clock::now();
    context.Run(inputs, outputs);
    const double whole_ms = SecondsSince(start) * 1e3, device_us = context.device_us();
    return device_us > 0 ? device_us / 1e3 : whole_ms;
  };
  return {.name = std::move(name), .run = {}, .timed_run = timed};
}

LatencyStats SummariseTimes(std::vector<double> times_ms) {
  if (times_ms.empty()) return {};
  std::sort(times_ms.begin(), times_ms.end());
  const size_t count = times_ms.size();
  const auto percentile = [&](double p) {
    return times_ms[std::min(count - 1, static_cast<size_t>(p * static_cast<double>(count)))];
  };
  return {.runs = static_cast<int64_t>(count),
          .median = percentile(0.5),
          .p90 = percentile(0.9),
          .p95 = percentile(0.95),
          .p99 = percentile(0.99),
          .min = times_ms.front(),
          .mean = std::accumulate(times_ms.begin(), times_ms.end(), 0.0) / static_cast<double>(count)};
}

std::string LatencyMeasurement::Note() const {
  return fmt::format("warm-up {:.0f} ms, {:.1f} s, {} runs; {}", options.warmup_ms, wall_s,
                     rows.empty() ? 0 : rows[0].stats.runs, load.ToString());
}

LatencyMeasurement MeasureLatency(std::span<const Runnable> runnables, const LatencyOptions& options) {
  LatencyMeasurement result{.options = options};
  if (runnables.empty()) return result;
  for (const Runnable& runnable : runnables) result.rows.push_back({.name = runnable.name});
  const auto count = static_cast<double>(runnables.size());
  const double round_s = WarmUp(runnables, options.warmup_ms / 1e3 * count);
  const auto expected = static_cast<int64_t>(std::min(options.duration_s * count / std::max(round_s, 1e-6), 1e9));
  Progress progress("time", "rounds", std::max(options.iterations, expected), options.progress);
  const HostLoadMeter meter;
  const auto start = Clock::now();
  for (int64_t round = 0; round < options.iterations || SecondsSince(start) < options.duration_s * count; ++round) {
    for (size_t i = 0; i < runnables.size(); ++i) {
      CheckInterrupt();
      result.rows[i].times_ms.push_back(runnables[i].RunMs());
    }
    progress.Advance();
  }
  result.wall_s = SecondsSince(start);
  result.load = meter.Finish();
  for (auto& row : result.rows) row.stats = SummariseTimes(row.times_ms);
  return result;
}

}  // namespace tenon
