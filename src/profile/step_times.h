#pragma once
#include <functional>
#include <span>
#include <vector>

#include "tenon/tenon.hpp"

namespace tenon {

struct StepTimesOptions {
  int iterations = 50;
  double warmup_ms = 200;
  int kept_runs = 10;           ///< as RunRecords, from the middle of the measurement
  std::function<void()> after;  ///< called after each iteration: progress, interrupts
};

/// One timed run as it happened, for a trace.
struct RunRecord {
  double start_us = 0;  ///< since the first kept run
  std::vector<double> step_us;
};

/// Times in microseconds. The quiet ones are means over the quietest quarter of the runs, by their whole time: unlike
/// medians they add up, and other load on the machine is in few of them.
struct StepTimes {
  std::vector<double> step_us;         ///< quiet
  std::vector<double> step_median_us;  ///< over all timed runs
  double whole_us = 0;                 ///< quiet, of runs without step timers
  double whole_median_us = 0;
  std::vector<RunRecord> runs;

  /// Sum of the steps' quiet times.
  double SumUs() const;
  /// SumUs / whole_us: 1 when the steps account for the whole and the timers cost nothing.
  double Ratio() const;
};

/// Runs the context with and without step timers in turns, so that both see the same machine.
StepTimes MeasureStepTimes(Context& context, std::span<const void* const> inputs, std::span<void* const> outputs,
                           const StepTimesOptions& options);

/// The middle value (upper of the two in even counts). @param values not empty
double Median(std::vector<double> values);

}  // namespace tenon
