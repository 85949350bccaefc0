#pragma once
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "quantize/sensitivity.h"

namespace tenon {

/// A conv that INT8 would have taken and did not get, and why.
struct KeptLayer {
  std::string node;
  double noise = 0;        ///< that it alone makes in the final tensors, as a share of their variance
  double flops_share = 0;  ///< of all convolutions and products
};

/// Which convs compute in INT8.
struct Assignment {
  std::set<std::string> int8;
  std::vector<KeptLayer> kept;                ///< worst first
  double noise_of_all = 0, noise = 0;         ///< in the final tensors: all in INT8; as chosen
  double flops_share = 0;                     ///< in INT8
  std::optional<double> map_float, map_int8;  ///< points, on the judging images
};

/// mAP50-95 in points of a float graph (the fused one, or one that simulates INT8) on labelled images.
using Judge = std::function<double(const Graph&)>;

struct AssignmentOptions {
  Calibrator calibrator = Calibrator::kMse;
  double map_drop = 0.5;  ///< points of mAP50-95 that INT8 may cost
  Judge judge;            ///< may be empty: noise alone decides
  Progress::Mode progress = Progress::Mode::kShow;
};

/// Starts with every conv in INT8 and takes back the ones that make the most noise until what is left is below what the
/// drop allows (noise and drop are proportional: measured, docs/measurements/2026-11-23-int8.md); then asks the judge,
/// and goes on while the drop is over the budget.
Assignment ChooseAssignment(const Graph& fused, const StatisticsTable& statistics, const NoiseMeter& meter,
                            const AssignmentOptions& options);

}  // namespace tenon
