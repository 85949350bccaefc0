#pragma once
#include <functional>
#include <string>
#include <vector>

#include "backends/cpu/cpu_device.h"
#include "base/progress.h"
#include "ir/graph.h"
#include "quantize/float_model.h"
#include "quantize/statistics.h"
#include "vision/letterbox.h"

namespace tenon {

/// Images as a model sees them.
struct CalibrationImages {
  std::vector<std::string> paths;
  Preprocess preprocess;
};

/// Calls `use` with each input batch of the model made of the images, in order; a last batch that isn't full repeats
/// its images. Unreadable images are logged and left out. Returns the number of images that were read. Throws
/// Error(kInvalidInput) when there is none, Error(kInterrupted) after Ctrl-C.
int64_t ForEachBatch(const CalibrationImages& images, const Shape& input, const std::string& title, Progress::Mode mode,
                     const std::function<void(std::span<const float>)>& use);

/// Observes the inputs of all convs that could be quantised (FindQuantizableConvs), in one pass over the images.
/// @param title of the progress bar
StatisticsTable ObserveConvInputs(const Graph& fused, const CalibrationImages& images, const CpuDevice& device,
                                  Progress::Mode mode, const std::string& title = "calibrate");

}  // namespace tenon
