#pragma once
#include <string>
#include <vector>

#include "quantize/calibrator.h"
#include "quantize/statistics.h"

namespace tenon {

/// What a user should know of a calibration, with numbers: fewer than 200 images, values that aren't numbers, channels
/// that never change, tensors of which the chosen range clips more than a hundredth. A sentence each.
std::vector<std::string> JudgeCalibration(const StatisticsTable& calibration, int64_t images, Calibrator calibrator);

/// How far the calibration images are from those that the model is judged on: KL divergence of each tensor's
/// distribution. A sentence when images differ so much that ranges can't be trusted; names the worst tensors.
std::vector<std::string> JudgeDrift(const StatisticsTable& calibration, const StatisticsTable& judging);

/// Median over the tensors of the KL divergence, in nats.
double MedianDrift(const StatisticsTable& calibration, const StatisticsTable& judging);

}  // namespace tenon
