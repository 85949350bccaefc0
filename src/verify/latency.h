#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "tenon/tenon.hpp"
#include "verify/host_load.h"

namespace tenon {

struct LatencyOptions {
  double warmup_ms = 200;   ///< untimed runs before, for each runnable; at least one each
  double duration_s = 3;    ///< measure at least so long for each runnable (n of them: n times as long in all)
  int64_t iterations = 10;  ///< and at least so many rounds
  Progress::Mode progress = Progress::Mode::kQuiet;  ///< counts rounds; shown between timed runs, never within one
};

/// Milliseconds of one run. A percentile p is the time at rank floor(p * n) of the sorted times.
struct LatencyStats {
  int64_t runs = 0;
  double median = 0, p90 = 0, p95 = 0, p99 = 0, min = 0, mean = 0;
};

/// @param times_ms in any order; none: all zero
LatencyStats SummariseTimes(std::vector<double> times_ms);

/// Something to time. What `run` throws stops the measurement and reaches the caller.
struct Runnable {
  std::string name;
  std::function<void()> run;
  /// Where set: runs and gives its own milliseconds, which count instead (of what is timed in another process).
  std::function<double()> timed_run = {};

  double RunMs() const;
};

/// Runs a context on buffers, which must outlive it. On a GPU the engine's own time counts, without copies to and from
/// it; on a CPU the whole call.
Runnable ContextRunnable(std::string name, Context& context, std::span<const void* const> inputs,
                         std::span<void* const> outputs);

struct LatencyMeasurement {
  struct Row {
    std::string name;
    std::vector<double> times_ms;  ///< one of each round, in that order
    LatencyStats stats;
  };
  std::vector<Row> rows;  ///< one for each runnable
  LatencyOptions options;
  double wall_s = 0;  ///< of the measured rounds
  HostLoad load;      ///< during them

  /// How it was measured: warm-up, duration, rounds, load of the machine.
  std::string Note() const;
};

/// Warms up, then measures interleaved: each round runs every runnable once, in their order, so that what else the
/// machine does hits all of them alike and rows of one measurement can be compared. Throws Error(kInterrupted) after
/// Ctrl-C.
LatencyMeasurement MeasureLatency(std::span<const Runnable> runnables, const LatencyOptions& options);

}  // namespace tenon
