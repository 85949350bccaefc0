#pragma once
#include <string>
#include <vector>

#include "quantize/calibrate.h"
#include "quantize/calibrator.h"

namespace tenon {

/// What a user should know of a calibration, with numbers: fewer than 200 images, values that aren't numbers, channels
/// that never change, tensors of which the chosen range clips more than a hundredth. A sentence each.
std::vector<std::string> JudgeCalibration(const StatisticsTable& calibration, int64_t images, Calibrator calibrator);

/// How far the calibration images are from those that the model is judged on.
struct Drift {
  double median = 0;    ///< over the tensors: KL divergence in nats, mean over channels, of channels taken for normal
  double expected = 0;  ///< the same if both were drawn from the same images, told from the calibration's two halves
  std::string warning;  ///< a sentence when images differ so much that ranges can't be trusted; names the worst tensor
};

/// @param judging_images that `judging` saw
Drift JudgeDrift(const SplitStatistics& calibration, const StatisticsTable& judging, int64_t judging_images);

}  // namespace tenon
