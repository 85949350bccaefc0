#pragma once
#include <span>
#include <string>
#include <vector>

#include "backends/device.h"
#include "engine/program.h"

namespace tenon {

/// What keeps a step from being faster, from its work and the machine's peaks.
enum class Bound {
  kCompute,    ///< its arithmetic at the peak takes longer than its bytes
  kMemory,     ///< its bytes take longer than its arithmetic
  kLaunch,     ///< handing it to the threads is a good part of its time
  kReference,  ///< no fast kernel computes it
};
std::string_view ToString(Bound bound);

/// One step's time against what the machine can do.
struct StepReport {
  size_t index = 0;  ///< in the program
  const ProgramStep* step = nullptr;
  double us = 0, share = 0;  ///< share of all steps
  double flops_per_s = 0, bytes_per_s = 0;
  double work_share = 1;       ///< multiply-adds that its kernel takes, by those of the op (KernelFamily::work_share)
  double of_compute_peak = 0;  ///< of those, of the peak of the step's own compute type; 0 where that is not known
  double of_memory_peak = 0;   ///< of a copy in memory; above 1 the caches served it
  double limit_us = 0;         ///< the least that the peaks allow (a roofline)
  Bound bound = Bound::kCompute;
};

/// All steps of one op kind.
struct OpReport {
  std::string op;
  int steps = 0;
  double us = 0, share = 0, flops = 0, bytes = 0;
};

/// The peak of a compute type in operations per second; 0 where the machine has none.
double PeakOf(DType compute, const MachinePeaks& peaks);
/// "fp32", "half" or "int8"
std::string_view PrecisionOf(DType compute);

/// Every step, what dominates first. @param step_us parallel to program.steps
/// @param families that the program's steps are of
std::vector<StepReport> JudgeSteps(const Program& program, std::span<const KernelFamily* const> families,
                                   std::span<const double> step_us, const MachinePeaks& peaks, double l2_bytes);
/// Summary by op kind, what dominates first.
std::vector<OpReport> SumByOp(std::span<const StepReport> steps);

}  // namespace tenon
