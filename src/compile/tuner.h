#pragma once
#include <string>
#include <vector>

#include "backends/cpu/cpu_device.h"
#include "backends/kernel.h"
#include "base/progress.h"
#include "compile/timing_cache.h"
#include "engine/program.h"

namespace tenon {

/// How hard to search. 0 takes the cost model's first choice without timing, 3 times every candidate.
struct TuneOptions {
  int effort = 2;
  bool verbose = false;  ///< logs each refusal and each candidate's time
  Progress::Mode progress = Progress::Mode::kQuiet;
};

/// A step to choose a tactic for. `problem` has the constants' elements; `step` the operands' memory.
struct TuneStep {
  ProgramStep* step = nullptr;
  const StepProblem* problem = nullptr;
};

/// Chooses family and tactic of every step. Candidates are timed inside the whole program, so each sees the caches as
/// its neighbours leave them; all steps try their k-th candidate in the same run. Winners go to the cache, known
/// problems are taken from it. Sets ProgramStep::family, family_version and tactic.
/// Returns each step's time in microseconds as the cache has it; 0 where it was never timed (effort 0).
std::vector<double> ChooseTactics(const std::vector<TuneStep>& steps, const Program& program, const CpuDevice& device,
                   const TuneOptions& options, TimingCache& cache);

}  // namespace tenon
