#pragma once
#include <map>
#include <span>
#include <string>
#include <vector>

#include "profile/step_report.h"

namespace tenon {

/// What an advice may lean on beside the step itself.
struct AdviceContext {
  MachinePeaks peaks;
  std::string engine_precision;                    ///< "fp32", "half", "int8"
  std::vector<std::string> warnings;               ///< of the build: why a layer stayed in FP32 or on the reference
  std::map<std::string, std::string> not_in_int8;  ///< of an INT8 build: layers that it left in half, and why
};

struct Advice {
  size_t step = 0;      ///< index in the program
  double saves_us = 0;  ///< at most: down to the limit that the peaks set, in the precision that the text proposes
  std::string text;     ///< one sentence or two: what holds the step back, by which figures, and what could be tried
};

/// What could be tried on one step.
Advice Advise(const StepReport& report, const AdviceContext& context);

/// Advice on the steps that dominate: from the first on, until `share` of the time is covered, at most `most` of them.
/// @param reports as JudgeSteps orders them
std::vector<Advice> AdviseOnDominating(std::span<const StepReport> reports, const AdviceContext& context,
                                       double share = 0.5, size_t most = 8);

}  // namespace tenon
