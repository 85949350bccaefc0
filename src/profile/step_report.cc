#include "profile/step_report.h"

#include <algorithm>
#include <map>

#include "base/error.h"

namespace tenon {
namespace {

/// From a third of a step's time on, launching is worth a thought before arithmetic is.
constexpr double kLaunchShare = 1.0 / 3;

Bound BoundOf(const StepReport& report, double compute_us, double memory_us, const MachinePeaks& peaks) {
  if (report.step->family == "reference") return Bound::kReference;
  if (peaks.launch_us > kLaunchShare * report.us) return Bound::kLaunch;
  return compute_us >= memory_us ? Bound::kCompute : Bound::kMemory;
}

StepReport Judge(const ProgramStep& step, double work_share, double us, double total_us, const MachinePeaks& peaks,
                 double l2_bytes) {
  StepReport report{.step = &step, .us = us, .share = total_us > 0 ? us / total_us : 0, .work_share = work_share};
  const double seconds = std::max(us, 1e-3) / 1e6;
  report.flops_per_s = step.flops / seconds;
  report.bytes_per_s = step.bytes / seconds;
  const double peak = PeakOf(step.compute, peaks);
  if (peak > 0) report.of_compute_peak = work_share * report.flops_per_s / peak;
  if (peaks.memory_bytes > 0) report.of_memory_peak = report.bytes_per_s / peaks.memory_bytes;
  const double compute_us = peak > 0 ? work_share * step.flops / peak * 1e6 : 0;
  // What fits the L2 caches may still lie there since the step before.
  const double bandwidth = step.bytes <= l2_bytes * peaks.threads ? peaks.cache_bytes : peaks.memory_bytes;
  const double memory_us = bandwidth > 0 ? step.bytes / bandwidth * 1e6 : 0;
  report.limit_us = std::max({compute_us, memory_us, peaks.launch_us});
  report.bound = BoundOf(report, compute_us, memory_us, peaks);
  return report;
}

}  // namespace

std::string_view ToString(Bound bound) {
  switch (bound) {
    case Bound::kCompute:
      return "compute";
    case Bound::kMemory:
      return "memory";
    case Bound::kLaunch:
      return "launch";
    case Bound::kReference:
      return "reference";
  }
  return "?";
}

double PeakOf(DType compute, const MachinePeaks& peaks) {
  switch (compute) {
    case DType::kFloat32:
      return peaks.fp32_ops;
    case DType::kBFloat16:
    case DType::kFloat16:
      return peaks.half_ops;
    case DType::kInt8:
    case DType::kUInt8:
      return peaks.int8_ops;
    default:
      return 0;
  }
}

std::string_view PrecisionOf(DType compute) {
  if (compute == DType::kInt8 || compute == DType::kUInt8) return "int8";
  return compute == DType::kBFloat16 || compute == DType::kFloat16 ? "half" : "fp32";
}

std::vector<StepReport> JudgeSteps(const Program& program, std::span<const KernelFamily* const> families,
                                   std::span<const double> step_us, const MachinePeaks& peaks, double l2_bytes) {
  TENON_CHECK(step_us.size() == program.steps.size(), "{} times of {} steps", step_us.size(), program.steps.size());
  double total_us = 0;
  for (const double us : step_us) total_us += us;
  std::vector<StepReport> reports;
  for (size_t i = 0; i < step_us.size(); ++i) {
    const KernelFamily* family = FindFamily(families, program.steps[i].family);
    const double work_share = family ? family->work_share() : 1;
    reports.push_back(Judge(program.steps[i], work_share, step_us[i], total_us, peaks, l2_bytes));
    reports.back().index = i;
  }
  std::stable_sort(reports.begin(), reports.end(), [](const auto& a, const auto& b) { return a.us > b.us; });
  return reports;
}

std::vector<OpReport> SumByOp(std::span<const StepReport> steps) {
  std::map<std::string, OpReport> by_op;
  for (const StepReport& report : steps) {
    OpReport& sum = by_op[report.step->op];
    sum.op = report.step->op;
    ++sum.steps;
    sum.us += report.us;
    sum.share += report.share;
    sum.flops += report.step->flops;
    sum.bytes += report.step->bytes;
  }
  std::vector<OpReport> sums;
  for (const auto& [op, sum] : by_op) sums.push_back(sum);
  std::stable_sort(sums.begin(), sums.end(), [](const auto& a, const auto& b) { return a.us > b.us; });
  return sums;
}

}  // namespace tenon
