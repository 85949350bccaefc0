#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "quantize/judge.h"
#include "quantize/sensitivity.h"

namespace tenon {

/// What a program takes on the device, from the timing cache.
struct ProgramTimes {
  double total_us = 0;                    ///< sum over all steps
  std::map<std::string, double> step_us;  ///< by the step's name
};

/// A conv that INT8 would have taken and did not get, and why.
struct KeptLayer {
  enum class Reason {
    kAccuracy,  ///< it makes much noise for what INT8 saves there
    kTime,      ///< the program is faster so
  };
  std::string node;
  Reason reason = Reason::kAccuracy;
  std::optional<double> noise;             ///< that it alone makes in the final tensors, as a share of their variance
  double flops_share = 0;                  ///< of all convolutions and products
  std::optional<double> int8_us, half_us;  ///< of its own step
};

/// Which convs compute in INT8.
struct Assignment {
  std::set<std::string> int8;
  std::vector<KeptLayer> kept;                       ///< in the order in which they were taken back
  double noise_of_all = 0, noise = 0;                ///< in the final tensors: all in INT8; as chosen
  double flops_share = 0;                            ///< in INT8
  std::optional<Verdict> verdict;                    ///< of the last judgement
  std::optional<double> all_us, half_us, chosen_us;  ///< programs: all in INT8, none, as chosen
};

/// How the search asks what a choice of convs costs.
struct AssignmentTools {
  std::function<double(const std::set<std::string>&)> noise;
  /// Empty where nothing may be timed (effort 0): then a conv's share of the FLOPs stands for what INT8 saves.
  std::function<ProgramTimes(const std::set<std::string>&)> times;
  std::function<Verdict(const std::set<std::string>&)> judge;  ///< empty without labels: noise alone decides
  Progress::Mode progress = Progress::Mode::kShow;
};

/// Noise in the final tensors below which nothing is to be gained for a budget of so many points of mAP50-95.
double QuietNoise(double map_drop);

/// Starts with every conv in INT8. First, convs that INT8 makes slower go back, if that makes the program faster. Then
/// those that make much noise for the time that INT8 saves there, and more of them, best buys first, until the noise is
/// below what `map_drop` points of mAP50-95 allow; noises only roughly add up, and a conv whose return doesn't help
/// stays. Then the judge is asked, and as long as it rejects, a quarter of the noise goes. At the end those compute in
/// INT8 again whose return the others made needless, and the judge is asked once more. Each conv's own noise is
/// measured only where the noise of all isn't small already. Noise and drop go together:
/// docs/measurements/2026-11-24-int8-accuracy.md.
Assignment ChooseAssignment(const Graph& fused, double map_drop, const AssignmentTools& tools);

}  // namespace tenon
