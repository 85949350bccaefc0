#pragma once
#include <array>
#include <functional>
#include <string>
#include <vector>

#include "backends/device.h"
#include "base/progress.h"
#include "ir/graph.h"
#include "quantize/float_model.h"
#include "quantize/statistics.h"
#include "vision/loader.h"

namespace tenon {

/// Images as a model sees them.
struct CalibrationImages {
  std::vector<std::string> paths;
  Preprocess preprocess;
};

/// One input of a model: `images` are those whose pixels `values` begins with; a last batch that isn't full repeats
/// its images.
struct ImageBatch {
  std::span<const float> values;
  std::span<const LoadedImage> images;
};

/// Calls `use` with each input batch of the model made of the images, in order. Unreadable images are logged and left
/// out. Returns the number of images that were read. Throws Error(kInvalidInput) when there is none,
/// Error(kInterrupted) after Ctrl-C.
/// @param progress advances by one with every image
int64_t ForEachBatch(const CalibrationImages& images, const Shape& input, Progress& progress,
                     const std::function<void(const ImageBatch&)>& use);

/// What was observed of the images at even and at odd places of the list, apart: what is calibrated on one half can be
/// judged on the other.
struct SplitStatistics {
  std::array<StatisticsTable, 2> halves;
  int64_t images = 0;  ///< that were read

  StatisticsTable All() const { return Merged(halves[0], halves[1]); }
};

/// Sees the model after it ran on an image. @param place of the image in the batch @param index among the paths
using AfterImage = std::function<void(const FloatModel& model, int64_t place, size_t index, const LetterboxPlan& plan)>;

/// Observes the inputs of all convs that could be quantised (FindQuantizableConvs), in one pass over the images; of a
/// single image both halves are the same.
/// @param title of the progress bar
/// @param after may be empty
SplitStatistics ObserveConvInputs(const Graph& fused, const CalibrationImages& images, const Device& device,
                                  Progress::Mode mode, const std::string& title, const AfterImage& after = {});

}  // namespace tenon
