#pragma once
#include <vector>

#include "backends/device.h"
#include "compile/timing_cache.h"

namespace tenon {

/// Which steps may go to families that round otherwise than the reference (KernelFamily::has_own_rounding).
enum class OwnRounding : uint8_t {
  kNone,    ///< none: --exact
  kFloats,  ///< those of float sums; integer sums, which a model with Q and DQ of its own asks for, are exact
  kAll,     ///< integer sums too: of models that Tenon quantised, whose accuracy it judges
};

/// How hard to search. 0 takes the cost model's first choice without timing, 3 times every candidate.
struct TuneOptions {
  int effort = 2;
  OwnRounding own_rounding = OwnRounding::kFloats;
  bool verbose = false;  ///< logs each refusal and each candidate's time
  Progress::Mode progress = Progress::Mode::kQuiet;
};

/// For models that Tenon quantised: all that was allowed but for integers' sake.
inline void AllowRoundedIntegers(TuneOptions& options) {
  if (options.own_rounding == OwnRounding::kFloats) options.own_rounding = OwnRounding::kAll;
}

/// Chooses family and tactic of every step. Candidates are timed as the device does it; winners go to the cache, known
/// problems are taken from it. A family with a rounding of its own takes over what it takes over, never by time.
/// `problems` are the steps', with the constants' elements. Sets ProgramStep::family, family_version and tactic.
/// Returns each step's time in microseconds as the cache has it; 0 where it was never timed (effort 0).
std::vector<double> ChooseTactics(Program& program, const std::vector<StepProblem>& problems, const Device& device,
                                  const TuneOptions& options, TimingCache& cache);

}  // namespace tenon
